"""Bodies that are not one JSON object in UTF-8, and what announces them."""

import random

import httpx
import pytest

from boxoffice.events.v1 import events_pb2
from gateway.codec import json_body
from gateway.http.errors import MalformedJson
from tests.gateway import messages
from tests.gateway.script import Script

JSON = "application/json"
PAYMENT_ID = "5f3d0f5e-3c6b-4f0e-9d53-6d5d1a3e9b11"
GOOD = b'{"event_id":5,"user_id":"alice"}'

MALFORMED = {
    "empty": b"",
    "cut short": b'{"event_id":1',
    "an array": b"[]",
    "a string": b'"x"',
    "null": b"null",
    "two values": b"{}{}",
    "trailing garbage": b"{} x",
    "single quotes": b"{'a':1}",
    "a comment": b'{"a":1/**/}',
    "a trailing comma": b'{"a":1,}',
    "NaN": b'{"event_id":NaN}',
    "Infinity": b'{"event_id":Infinity}',
    "-Infinity": b'{"event_id":-Infinity}',
    "an overflowing float": b'{"event_id":1e400}',
    "a 5,000-digit integer": b'{"event_id":' + b"9" * 5000 + b"}",
    "a leading zero": b'{"event_id":01}',
    "deep arrays": b'{"a":' + b"[" * 30_000,
    "deep objects": b'{"a":' * 10_000,
    "UTF-16": '{"event_id":1}'.encode("utf-16"),
    "UTF-32": '{"event_id":1}'.encode("utf-32"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "invalid UTF-8": b'{"user_id":"\xff"}',
    "overlong UTF-8": b'{"user_id":"\xc0\xaf"}',
    "an encoded surrogate": b'{"user_id":"\xed\xa0\x80"}',
    "a raw control character": b'{"user_id":"a\nb"}',
    "a NUL outside": b"{}\x00",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_a_body_that_is_not_a_json_object_is_malformed(body: bytes) -> None:
    """A guess at what was meant, or a traceback, would be the answer."""
    with pytest.raises(MalformedJson):
        json_body.parse(body)


def test_repeated_names_and_order_are_kept() -> None:
    """A parser that keeps the last of two names would hide what another reader takes."""
    assert json_body.parse(b'{"a":1,"b":{"c":[{}]},"a":2}') == (
        ("a", 1),
        ("b", (("c", [()]),)),
        ("a", 2),
    )


PIECES = (
    *(b"{", b"}", b"[", b"]", b":", b",", b" ", b'"', b'"a"', b'"b"', b'"a":1', b',"a":"x"'),
    *(b"1", b"01", b"-0", b"1.5", b"1e3", b"9" * 20, b"true", b"null", b"NaN", b"\\", b'"\\u0061"'),
    *(b"\n", b"\x00", b"\xff", b"\xed\xa0\x80", "é".encode()),
)


def test_the_quick_way_reads_what_the_strict_way_reads() -> None:
    """A body would mean one thing to the quick reader, and another to the strict one."""
    choose = random.Random(1)
    agreed = 0
    for _ in range(20_000):
        middle = b"".join(choose.choices(PIECES, k=choose.randrange(8)))
        body = choose.choice((b"{%b}", b'{"a":1,"b":"x"%b}')) % middle
        members = json_body.plain(body)
        if members is not None:
            assert repr(members) == repr(json_body.strict(body))
            agreed += 1
    assert agreed > 500


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": JSON}, 201),
        ({"content-type": "Application/JSON; charset=UTF-8"}, 201),
        ({"content-type": 'application/json;charset="utf-8"'}, 201),
        ({"content-type": JSON, "content-encoding": "identity"}, 201),
        ({}, 415),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/jsonx"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=latin-1"}, 415),
        ({"content-type": "application/json; charset=utf-16"}, 415),
        ({"content-type": "application/json, text/plain"}, 415),
        ({"content-type": JSON, "content-encoding": "gzip"}, 415),
    ],
)
async def test_a_body_must_be_announced_as_plain_json(
    client: httpx.AsyncClient, script: Script, headers: dict[str, str], status: int
) -> None:
    """A compressed body, or one in another encoding, would be read as something else."""
    script.answers["Reserve"] = messages.reserved
    answer = await client.post("/api/bookings/reserve", content=GOOD, headers=headers)
    assert answer.status_code == status
    assert len(script.asked) == (status == 201)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("content", "announced", "status", "error"),
    [
        (b"", {}, 200, None),
        (b"{}", {"content-type": JSON}, 200, None),
        (b'{"x":1}', {"content-type": JSON}, 422, "validation_error"),
        (b"{bad", {"content-type": JSON}, 400, "malformed_json"),
        (b"[]", {"content-type": JSON}, 400, "malformed_json"),
        (b"x=1", {}, 415, "unsupported_media_type"),
    ],
)
async def test_a_request_that_takes_no_fields_gets_none(
    client: httpx.AsyncClient,
    script: Script,
    content: bytes,
    announced: dict[str, str],
    status: int,
    error: str | None,
) -> None:
    """A client would believe that a field it sends means something."""
    script.answers["DeleteEvent"] = lambda _: events_pb2.DeleteEventResponse()
    answer = await client.request("DELETE", "/events/5", content=content, headers=announced)
    assert answer.status_code == status
    assert answer.json().get("error") == error
    assert len(script.asked) == (status == 200)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("headers", [{}, {"content-type": JSON}])
async def test_a_post_that_needs_no_field_needs_no_body(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """A client that refunds all, or joins a queue, would be told to send another media type."""
    for path in ("/api/queue/5", "/api/tickets"):
        assert (await client.post(path, headers=headers)).json()["error"] == "validation_error"
    refund = f"/api/payments/{PAYMENT_ID}/refund"
    assert (await client.post(refund, headers=headers)).json()["error"] == "unauthenticated"
    status = 400 if headers else 415
    for method, path in (("POST", "/events"), ("POST", "/book"), ("PUT", "/api/queue/5")):
        assert (await client.request(method, path, headers=headers)).status_code == status


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_of_a_read_is_ignored(client: httpx.AsyncClient, script: Script) -> None:
    """A client that sends one with each request could read nothing."""
    script.answers["GetEvent"] = lambda _: events_pb2.GetEventResponse(event=messages.event())
    for path in ("/health", "/events/5"):
        answer = await client.request("GET", path, content=b"{")
        assert answer.status_code == 200
