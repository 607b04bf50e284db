"""Malformed and malicious requests: each gets its 4xx, and no other client is disturbed."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.client import create_event, new_user, open_client
from tests.e2e.raw_http import connect, request
from tests.e2e.system import System

RESERVE = "/api/bookings/reserve"
SEAT = b'{"event_id": 1, "user_id": "ada"}'
JSON = "Content-Type: application/json\r\n"
HOST = "Host: boxoffice\r\n"
BAD_REQUEST = (400, "bad_request")
MALFORMED = (400, "malformed_json")
INVALID = (422, "validation_error")
UNSUPPORTED = (415, "unsupported_media_type")


def seat(user_id: str) -> bytes:
    """Returns the body of a reservation, with this JSON text as the user."""
    return f'{{"event_id": 1, "user_id": {user_id}}}'.encode()


def of_event(event_id: str) -> bytes:
    """Returns the body of a reservation, with this JSON text as the event."""
    return f'{{"event_id": {event_id}, "user_id": "ada"}}'.encode()


def raw(lines: str, body: bytes = SEAT) -> bytes:
    """Returns the request of a reservation with these header lines."""
    return f"POST {RESERVE} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body


async def outcome(system: System, sent: bytes) -> tuple[int, str]:
    """Sends the request on a connection of its own; returns the outcome."""
    async with connect(system.port) as connection:
        return (await connection.ask(sent)).outcome


BODIES: dict[str, tuple[bytes, tuple[int, str]]] = {
    "a lone surrogate": (seat(r'"\ud800"'), INVALID),
    "a lone low surrogate": (seat(r'"a\udc00b"'), INVALID),
    "a surrogate in a name": (rb'{"\ud800": 1, "event_id": 1, "user_id": "a"}', INVALID),
    "NUL": (seat(r'"a\u0000b"'), INVALID),
    "a control character": (seat(r'"a\u0007b"'), INVALID),
    "a line break": (seat(r'"a\r\nb"'), INVALID),
    "a line separator": (seat(r'"a\u2028b"'), INVALID),
    "a zero-width space": (seat(r'"a\u200bb"'), INVALID),
    "a right-to-left override": (seat(r'"a\u202eb"'), INVALID),
    "a bare control character": (seat('"a\x07b"'), MALFORMED),
    "invalid UTF-8": (b'{"event_id": 1, "user_id": "\xff"}', MALFORMED),
    "overlong UTF-8": (b'{"event_id": 1, "user_id": "\xc0\xaf"}', MALFORMED),
    "an encoded surrogate": (b'{"event_id": 1, "user_id": "\xed\xa0\x80"}', MALFORMED),
    "a cut character": (b'{"event_id": 1, "user_id": "\xe2\x82', MALFORMED),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + SEAT, MALFORMED),
    "UTF-16": (SEAT.decode().encode("utf-16"), MALFORMED),
    "UTF-16 without a mark": (SEAT.decode().encode("utf-16-le"), MALFORMED),
    "UTF-32": (SEAT.decode().encode("utf-32"), MALFORMED),
    "NaN": (of_event("NaN"), MALFORMED),
    "Infinity": (of_event("Infinity"), MALFORMED),
    "minus Infinity": (of_event("-Infinity"), MALFORMED),
    "a number without end": (of_event("1e400"), MALFORMED),
    "a hex number": (of_event("0x1"), MALFORMED),
    "a number with a leading zero": (of_event("01"), MALFORMED),
    "a number with a plus": (of_event("+1"), MALFORMED),
    "digits of another script": (of_event("\u0661"), MALFORMED),
    "5,000 digits": (of_event("9" * 5_000), MALFORMED),
    "4,000 digits": (of_event("9" * 4_000), INVALID),
    "a fraction of 5,000 digits": (of_event("1." + "0" * 5_000), INVALID),
    "a repeated key": (b'{"event_id": 1, "user_id": "a", "user_id": "b"}', INVALID),
    "a repeated unknown key": (b'{"event_id": 1, "user_id": "a", "x": 1, "x": 2}', INVALID),
    "a key in both cases": (b'{"event_id": 1, "userId": "a", "user_id": "a"}', INVALID),
    "true as a number": (of_event("true"), INVALID),
    "a fraction as a number": (of_event("1.0"), INVALID),
    "an exponent as a number": (of_event("1e0"), INVALID),
    "a string as a number": (of_event('"1"'), INVALID),
    "2^63": (of_event(str(2**63)), INVALID),
    "2^64": (of_event(str(2**64 + 1)), INVALID),
    "minus 2^63": (of_event(str(-(2**63))), INVALID),
    "zero": (of_event("0"), INVALID),
    "2^31": (of_event(str(2**31)), (404, "event_not_found")),
    "2^63 - 1": (of_event(str(2**63 - 1)), (404, "event_not_found")),
    "nothing": (b"", MALFORMED),
    "white space": (b"  \n", MALFORMED),
    "a word": (b"seat", MALFORMED),
    "null": (b"null", MALFORMED),
    "an array": (b"[" + SEAT + b"]", MALFORMED),
    "a string": (b'"seat"', MALFORMED),
    "two objects": (SEAT + SEAT, MALFORMED),
    "a comma too many": (b'{"event_id": 1, "user_id": "ada",}', MALFORMED),
    "a comment": (b'{"event_id": 1, /* me */ "user_id": "ada"}', MALFORMED),
    "half an object": (b'{"event_id": 1', MALFORMED),
    "32,000 nested arrays": (b"[" * 32_000 + b"]" * 32_000, MALFORMED),
    "60,000 open arrays": (b"[" * 60_000, MALFORMED),
    "nested objects": (b'{"user_id":' * 5_000 + b"1" + b"}" * 5_000, MALFORMED),
    "a nested value": (b'{"event_id": 1, "user_id": ' + b"[" * 500 + b"]" * 500 + b"}", INVALID),
    "a form": (b"event_id=1&user_id=ada", MALFORMED),
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_is_read_strictly(system: System, case: str) -> None:
    """A body that parsers read differently could be accepted."""
    body, expected = BODIES[case]
    assert await outcome(system, request("POST", RESERVE, body)) == expected


async def test_a_large_body_is_refused(system: System) -> None:
    """A body above 64 KiB could fill the memory, announced or in chunks."""
    largest = SEAT + b" " * (64 * 1024 - len(SEAT))
    too_large = (413, "body_too_large")
    assert (await outcome(system, request("POST", RESERVE, largest)))[0] in {201, 404, 409}
    assert await outcome(system, request("POST", RESERVE, largest + b" ")) == too_large
    assert await outcome(system, raw(f"{HOST}{JSON}Content-Length: 99999999999\r\n")) == too_large
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    chunks = raw(f"{HOST}{JSON}Transfer-Encoding: chunked\r\n", chunk * 17)
    assert await outcome(system, chunks) == too_large


async def test_a_body_in_chunks_is_one_body(system: System) -> None:
    """A chunk that ends inside of a character or a token could break the body."""
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in of_event("0")) + b"0\r\n\r\n"
    lines = f"{HOST}{JSON}Transfer-Encoding: chunked\r\n"
    assert await outcome(system, raw(lines, chunks)) == INVALID


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/events/\uff11\uff12", INVALID),
        ("/events/\u0663", INVALID),
        ("/events/\u00b2", INVALID),
        ("/events/1_000", INVALID),
        ("/events/ 7", INVALID),
        ("/events/7 ", INVALID),
        ("/events/+7", INVALID),
        ("/events/-7", INVALID),
        ("/events/0", INVALID),
        ("/events/007", INVALID),
        ("/events/7.0", INVALID),
        ("/events/0x7", INVALID),
        ("/events/1e3", INVALID),
        ("/events/7\n", INVALID),
        ("/events/null", INVALID),
        ("/events/9223372036854775808", INVALID),
        ("/events/99999999999999999999", INVALID),
        ("/events/" + "9" * 5_000, INVALID),
        ("/events/2147483648", (404, "event_not_found")),
        ("/events/9223372036854775807", (404, "event_not_found")),
        ("/events/1\u0000", INVALID),
        ("/api/events/\u0663/availability", INVALID),
        ("/api/bookings/event/+7", INVALID),
        ("/api/bookings/booking/ 7", INVALID),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_number_in_a_path_is_plain_digits(
    system: System, method: str, path: str, expected: tuple[int, str]
) -> None:
    """Digits that `int()` accepts and other programs do not could name another resource."""
    encoded = "".join(c if c.isascii() and c > " " else _percent(c) for c in path)
    if method == "DELETE" and path.startswith("/api"):
        expected = (405, "method_not_allowed")
    assert await outcome(system, request(method, encoded)) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/events/%ff",
        "/events/%c0%af",
        "/events/%ed%a0%80",
        "/api/bookings/user?user_id=%ff",
        "/api/bookings/user?%ff=a",
        "/api/bookings/user?user_id=%c0%af",
        "/nowhere/%ff",
    ],
)
async def test_a_url_that_is_no_utf8_is_refused(system: System, target: str) -> None:
    """Two user ids could become one."""
    assert await outcome(system, request("GET", target)) == BAD_REQUEST


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("user_id=a&user_id=b", INVALID),
        ("user_id=a;b=2", (200, "")),
        ("user_id=a%00b", INVALID),
        ("user_id=%E2%80%8B", INVALID),
        ("user_id=a&page_size=-1", INVALID),
        ("user_id=a&page_size=1e2", INVALID),
        ("user_id=a&page_size=%D9%A1", INVALID),
        ("user_id=a&page_size=" + "9" * 5_000, INVALID),
        ("user_id=a&page_size=1000000000", INVALID),
        ("user_id=a&page_token=x", (400, "invalid_page_token")),
        ("user_id=a&page_token=" + "A" * 600, INVALID),
        ("user_id=a&page_token=%00", (400, "invalid_page_token")),
        ("user_id=a&order=name", INVALID),
        ("user_id", INVALID),
        ("=a", INVALID),
        ("&&&user_id=a&", (200, "")),
        ("user_id=100%", (200, "")),
        ("user_id=%zz", (200, "")),
    ],
)
async def test_a_query_is_read_strictly(
    system: System, query: str, expected: tuple[int, str]
) -> None:
    """A repeated or unknown parameter could be ignored."""
    target = f"/api/bookings/user?{query}"
    assert await outcome(system, request("GET", target)) == expected


async def test_a_semicolon_separates_nothing(system: System) -> None:
    """`a;b=2` could be read as two parameters."""
    user = f"{new_user()};b=2"
    with open_client(system.url) as client:
        body = {"event_id": create_event(client)["id"], "user_id": user}
        assert client.post(RESERVE, json=body).status_code == 201
    async with connect(system.port) as connection:
        answer = await connection.ask(request("GET", f"/api/bookings/user?user_id={user}"))
    assert [booking["user_id"] for booking in answer.json] == [user]


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("", UNSUPPORTED),
        ("Content-Type: text/plain\r\n", UNSUPPORTED),
        ("Content-Type: application/x-www-form-urlencoded\r\n", UNSUPPORTED),
        ("Content-Type: application/json; charset=utf-16\r\n", UNSUPPORTED),
        ("Content-Type: application/json; charset=latin-1\r\n", UNSUPPORTED),
        ("Content-Type: application/jsonp\r\n", UNSUPPORTED),
        ("Content-Type: application/json, text/plain\r\n", UNSUPPORTED),
        ("Content-Type: application/json\r\nContent-Type: text/plain\r\n", UNSUPPORTED),
        ("Content-Type: application/json\r\nContent-Encoding: gzip\r\n", UNSUPPORTED),
        ("Content-Type: application/json\r\nContent-Encoding: br, gzip\r\n", UNSUPPORTED),
        ("Content-Type: application/json; charset=UTF-8\r\n", INVALID),
        ('Content-Type: Application/JSON;charset="utf-8"\r\n', INVALID),
        ("Content-Type: application/json\r\nContent-Encoding: identity\r\n", INVALID),
    ],
)
async def test_another_content_type_or_encoding_is_refused(
    system: System, media_type: str, expected: tuple[int, str]
) -> None:
    """A small compressed body could be unpacked to a huge one."""
    body = of_event("0")
    lines = f"{HOST}{media_type}Content-Length: {len(body)}\r\n"
    assert await outcome(system, raw(lines, body)) == expected


LENGTH = f"Content-Length: {len(SEAT)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SEAT), SEAT)
HEADS: dict[str, bytes] = {
    "length and chunks": raw(f"{HOST}{JSON}{LENGTH}{CHUNKED}", CHUNKS),
    "chunks and length": raw(f"{HOST}{JSON}{CHUNKED}{LENGTH}", CHUNKS),
    "two lengths": raw(f"{HOST}{JSON}{LENGTH}Content-Length: 5\r\n"),
    "a list of lengths": raw(f"{HOST}{JSON}Content-Length: 5, 5\r\n"),
    "a negative length": raw(f"{HOST}{JSON}Content-Length: -1\r\n"),
    "a length with a plus": raw(f"{HOST}{JSON}Content-Length: +5\r\n"),
    "a length in hex": raw(f"{HOST}{JSON}Content-Length: 0x21\r\n"),
    "an unknown encoding": raw(f"{HOST}{JSON}Transfer-Encoding: gzip\r\n"),
    "chunks of chunks": raw(f"{HOST}{JSON}Transfer-Encoding: chunked, chunked\r\n", CHUNKS),
    "chunks after identity": raw(f"{HOST}{JSON}Transfer-Encoding: identity, chunked\r\n", CHUNKS),
    "almost chunked": raw(f"{HOST}{JSON}Transfer-Encoding: xchunked\r\n", CHUNKS),
    "chunks in HTTP/1.0": raw(f"{HOST}{JSON}{CHUNKED}", CHUNKS).replace(b"1.1", b"1.0", 1),
    "a chunk of no size": raw(f"{HOST}{JSON}{CHUNKED}", b"zz\r\nab\r\n0\r\n\r\n"),
    "a chunk of negative size": raw(f"{HOST}{JSON}{CHUNKED}", b"-5\r\nab\r\n0\r\n\r\n"),
    "a chunk of huge size": raw(f"{HOST}{JSON}{CHUNKED}", b"fffffffffffffffff\r\n"),
    "a chunk that is too short": raw(f"{HOST}{JSON}{CHUNKED}", b"1\r\nab\r\n0\r\n\r\n"),
    "a folded header": raw(f"{HOST}X-A: b\r\n c\r\n{JSON}{LENGTH}"),
    "a space before a colon": raw(f"{HOST}{JSON}Content-Length : {len(SEAT)}\r\n"),
    "a header without a name": raw(f"{HOST}: b\r\n{JSON}{LENGTH}"),
    "a header without a colon": raw(f"{HOST}nonsense\r\n{JSON}{LENGTH}"),
    "NUL in a header": raw(f"{HOST}X-A: a\0b\r\n{JSON}{LENGTH}"),
    "a bare CR in a header": raw(f"{HOST}X-A: a\rb\r\n{JSON}{LENGTH}"),
    "no Host": raw(f"{JSON}{LENGTH}"),
    "two Hosts": raw(f"{HOST}Host: elsewhere\r\n{JSON}{LENGTH}"),
    "HTTP/2 in words": b"GET /health HTTP/2.0\r\nHost: boxoffice\r\n\r\n",
    "HTTP/0.9": b"GET /health\r\n\r\n",
    "HTTP/1.2": b"GET /health HTTP/1.2\r\nHost: boxoffice\r\n\r\n",
    "no method": b"/health HTTP/1.1\r\nHost: boxoffice\r\n\r\n",
    "a method that is no word": b"SE@T /health HTTP/1.1\r\nHost: boxoffice\r\n\r\n",
    "a space in a path": b"GET /events/a b HTTP/1.1\r\nHost: boxoffice\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
    "noise": bytes(range(128, 256)) + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", HEADS)
async def test_ambiguous_http_is_refused(system: System, case: str) -> None:
    """An ambiguous request could smuggle a second one into the connection."""
    async with connect(system.port) as connection:
        assert (await connection.ask(HEADS[case])).outcome == BAD_REQUEST
        assert await connection.is_closed()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (request("GET", "/events?query=" + "a" * 9_000), (414, "uri_too_long")),
        (request("GET", "/" + "a" * 9_000), (414, "uri_too_long")),
        (request("GET", "/health", None, {"X-A": "a" * 17_000}), (431, "headers_too_large")),
        (
            request("GET", "/health", None, {f"X-{number}": "a" for number in range(101)}),
            (431, "headers_too_large"),
        ),
        (b"GET /health HTTP/1.1\r\n" + b"X: " + b"a" * 40_000, (431, "headers_too_large")),
        (b"GET /" + b"a" * 40_000, (414, "uri_too_long")),
    ],
)
async def test_a_large_head_is_refused(
    system: System, sent: bytes, expected: tuple[int, str]
) -> None:
    """A head without an end could fill the memory."""
    async with connect(system.port) as connection:
        assert (await connection.ask(sent)).outcome == expected
        assert await connection.is_closed()


async def test_a_head_within_its_limits_is_read(system: System) -> None:
    """A head of the size that is allowed could be refused."""
    headers = {f"X-{number}": "a" * 100 for number in range(90)}
    target = "/health?" + "a=b&" * 1_900
    assert await outcome(system, request("GET", target, None, headers)) == (200, "")


async def test_requests_in_a_row_are_answered_in_order(system: System) -> None:
    """Pipelined requests could get the responses of others."""
    async with connect(system.port) as connection:
        good, bad = request("GET", "/events/0"), b"nonsense\r\n\r\n"
        connection.send(request("GET", "/health") + good + request("GET", "/nope") + bad + good)
        answers = [(await connection.answer()).outcome for _ in range(3)]
        assert answers == [(200, ""), INVALID, (404, "not_found")]


async def test_headers_never_echo_what_a_client_wrote(system: System) -> None:
    """A line break in a value could add a header to the response."""
    with open_client(system.url) as client:
        event = create_event(client)
        name = {"name": "a\r\nSet-Cookie: b=c", "total_seats": 1}
        assert client.post("/events", json=name).status_code == 422
    target = f"/api/bookings/event/{event['id']}%0d%0aSet-Cookie:%20b=c"
    async with connect(system.port) as connection:
        answer = await connection.ask(request("GET", target))
    assert answer.outcome == INVALID
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/docs/../../pyproject.toml", "/docs/%2e%2e/settings.py", "/docs//"]
)
async def test_no_path_leads_out_of_the_served_files(system: System, path: str) -> None:
    """A path could lead to files outside of the served ones."""
    assert await outcome(system, request("GET", path)) == (404, "not_found")


async def test_answers_to_head_have_no_body(system: System) -> None:
    """A body after HEAD would be read as the next response."""
    async with connect(system.port) as connection:
        connection.send(request("HEAD", "/nope") + request("GET", "/health"))
        head = await connection.head()
        assert head.startswith("HTTP/1.1 404")
        assert (await connection.answer()).json == {"status": "ok"}


async def test_a_client_that_disconnects_disturbs_nobody(system: System) -> None:
    """A client that disconnects in the middle could disturb the gateway."""
    for sent in (b"", b"GET /hea", request("GET", "/events"), raw(f"{HOST}{JSON}{LENGTH}", b"{")):
        async with connect(system.port) as connection:
            connection.send(sent)
    assert await outcome(system, request("GET", "/health")) == (200, "")


async def test_slow_clients_are_disconnected_and_delay_nobody(system: System) -> None:
    """A client that sends byte by byte could hold a connection for ever."""
    slow = b"GET /health HTTP/1.1\r\nHost: boxoffice\r\nX-Slow: "
    async with connect(system.port) as silent, connect(system.port) as creeping:
        creeping.send(slow)
        loop = asyncio.get_running_loop()
        started = loop.time()
        creep = asyncio.create_task(_creep(creeping.send))
        try:
            answers = [await outcome(system, request("GET", "/events/0")) for _ in range(20)]
            assert set(answers) == {INVALID}
            assert (await creeping.answer()).outcome == BAD_REQUEST
            assert loop.time() - started > 4
            assert await silent.is_closed()
        finally:
            creep.cancel()


@pytest.mark.parametrize("field", ["name", "description", "venue", "time_zone", "key"])
@pytest.mark.parametrize("value", ["a\u0000b", "a\ud800b", "a\u0085b", "a\u2029b", "a\nb"])
async def test_characters_that_cannot_be_stored_are_refused(
    system: System, field: str, value: str
) -> None:
    """A text could hold characters that PostgreSQL rejects, or that break logs and mails."""
    body: dict[str, Any] = {"name": "Concert", "total_seats": 1, field: value}
    sent = request("POST", "/events", json.dumps(body).encode())
    async with connect(system.port) as connection:
        answer = await connection.ask(sent)
    assert answer.outcome == INVALID
    assert [detail["path"] for detail in answer.json["details"]] == [field]


async def _creep(send: Any) -> None:
    while True:
        send(b"a")
        await asyncio.sleep(0.2)  # being slow is what is tested


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())
