"""How fields are read: every accepted spelling, and every refusal by the name of its field."""

from typing import Any

import httpx
import pytest

from boxoffice.bookings.v1 import bookings_pb2, tickets_pb2
from boxoffice.events.v1 import events_pb2
from gateway.codec import json_body
from gateway.codec.request import Decoder
from gateway.contract.reader import read_bindings
from gateway.services import SERVICES
from services.kit.rpc.errors import ValidationFailed
from tests.gateway import messages
from tests.gateway.script import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
REFERENCE = "5f3d0f5e-3c6b-4f0e-9d53-6d5d1a3e9b11"


async def refused(client: httpx.AsyncClient, url: str, body: str) -> list[dict[str, str]]:
    """Posts a body that must be refused, and gives the details."""
    answer = await client.post(url, content=body.encode(), headers=JSON)
    assert answer.status_code == 422, answer.text
    assert answer.json().keys() == {"error", "details"}
    assert answer.json()["error"] == "validation_error"
    details: list[dict[str, str]] = answer.json()["details"]
    return details


async def test_a_number_of_a_booking_may_be_its_reference(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that knows reservations by the name `booking_id` could get no ticket."""
    script.answers["CreateTicket"] = lambda _: tickets_pb2.CreateTicketResponse()
    for booking in (7, REFERENCE):
        await client.post("/api/tickets", json={"bookingId": booking})
        await client.post("/api/tickets", json={"bookingId": booking, "reservation_id": None})
        await client.post("/api/tickets", json={"reservation_id": None, "bookingId": booking})
    asked = [(each.request.booking_id, each.request.reservation_id) for each in script.asked]
    assert asked == [(7, "")] * 3 + [(0, REFERENCE)] * 3


@pytest.mark.parametrize(
    "body",
    [
        '{"bookingId":"7"}',
        '{"bookingId":"7","user_id":"a"}',
        '{"bookingId":true}',
        f'{{"reservation_id":"{REFERENCE}","bookingId":"{REFERENCE}"}}',
    ],
)
async def test_a_wrong_reference_has_the_name_that_was_sent(
    client: httpx.AsyncClient, body: str
) -> None:
    """A client would be told of a field that it did not send."""
    assert "bookingId" in {detail["path"] for detail in await refused(client, "/api/tickets", body)}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"event_id":true,"user_id":"a"}', "event_id"),
        ('{"event_id":1.0,"user_id":"a"}', "event_id"),
        ('{"event_id":"1","user_id":"a"}', "event_id"),
        ('{"event_id":null,"user_id":"a"}', "event_id"),
        ('{"event_id":[1],"user_id":"a"}', "event_id"),
        ('{"event_id":{},"user_id":"a"}', "event_id"),
        ('{"event_id":0,"user_id":"a"}', "event_id"),
        ('{"event_id":-1,"user_id":"a"}', "event_id"),
        ('{"event_id":9223372036854775808,"user_id":"a"}', "event_id"),
        ('{"user_id":"a"}', "event_id"),
        ('{"event_id":1,"user_id":""}', "user_id"),
        ('{"event_id":1,"user_id":7}', "user_id"),
        ('{"event_id":1,"user_id":"\\ud800"}', "user_id"),
        ('{"event_id":1,"user_id":"a\\u0000b"}', "user_id"),
        ('{"event_id":1,"user_id":"a\\u200bb"}', "user_id"),
        (f'{{"event_id":1,"user_id":"{"x" * 129}"}}', "user_id"),
        ('{"event_id":1,"event_id":1,"user_id":"a"}', "event_id"),
        ('{"event_id":1,"eventId":1,"user_id":"a"}', "eventId"),
        ('{"event_id":1,"user_id":"a","request_id":"k"}', "request_id"),
        ('{"event_id":1,"user_id":"a","Idempotency-Key":"k"}', "Idempotency-Key"),
        ('{"event_id":1,"user_id":"a","\\ud800":1}', "?"),
    ],
)
async def test_a_wrong_reservation_names_its_field(
    client: httpx.AsyncClient, script: Script, body: str, path: str
) -> None:
    """A wrong body would be coerced, or refused without a hint where it is wrong."""
    details = await refused(client, "/api/bookings/reserve", body)
    assert [detail["path"] for detail in details] == [path]
    assert all(detail["message"] for detail in details)
    assert not script.asked


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ('"id":4', "id"),
        ('"available_seats":4', "available_seats"),
        ('"availableSeats":4', "availableSeats"),
        ('"status":"published"', "status"),
        ('"status":"EVENT_STATUS_PUBLISHED"', "status"),
        ('"status":"UNSPECIFIED"', "status"),
        ('"status":2', "status"),
        ('"one_booking_per_user":"true"', "one_booking_per_user"),
        ('"one_booking_per_user":1', "one_booking_per_user"),
        ('"price":5', "price"),
        ('"price":[]', "price"),
        ('"price":{"amount_minor":1.5,"currency":"EUR"}', "price.amount_minor"),
        ('"price":{"amount_minor":1}', "price.currency"),
        ('"price":{"amount_minor":1,"currency":"eur"}', "price.currency"),
        ('"price":{"amount_minor":1,"currency":"EUR","x":1}', "price.x"),
        ('"price":{"amount_minor":1,"amountMinor":1,"currency":"EUR"}', "price.amountMinor"),
        ('"title":"again"', "title"),
        ('"title":1', "title"),
        ('"title":"x","title":"x"', "title"),
        ('"starts_at":1760358896', "starts_at"),
        ('"starts_at":"2025-10-13"', "starts_at"),
        ('"starts_at":"2025-10-13T12:34:56"', "starts_at"),
        ('"starts_at":"2025-10-13 12:34:56Z"', "starts_at"),
        ('"starts_at":"2025-10-13T12:34:56+0200"', "starts_at"),
        ('"starts_at":"2025-02-30T12:34:56Z"', "starts_at"),
        ('"starts_at":"2025-10-13T24:00:00Z"', "starts_at"),
        ('"starts_at":"2025-10-13T12:34:60Z"', "starts_at"),
        ('"starts_at":"2025-10-13T12:34:56+24:00"', "starts_at"),
        ('"starts_at":"0000-01-01T00:00:00Z"', "starts_at"),
        ('"starts_at":"0001-01-01T00:00:00+01:00"', "starts_at"),
        ('"starts_at":"9999-12-31T23:59:59-01:00"', "starts_at"),
        ('"starts_at":"\\u0662025-10-13T12:34:56Z"', "starts_at"),
        ('"eventDate":"2025-10-13T12:34:56Z","starts_at":"2025-10-13T12:34:56Z"', "starts_at"),
    ],
)
async def test_a_wrong_event_names_its_field(
    client: httpx.AsyncClient, script: Script, field: str, path: str
) -> None:
    """A client would get the path of another name than the one it sent."""
    details = await refused(client, "/events", f'{{"name":"x","total_seats":1,{field}}}')
    assert [detail["path"] for detail in details] == [path]
    assert not script.asked


async def test_everything_that_is_wrong_is_told_at_once(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A form would be sent once for each of its mistakes."""
    body = '{"name":1,"totalSeats":"2","nope":3,"price":{"x":1},"version":2}'
    details = await refused(client, "/events", body)
    paths = {detail["path"] for detail in details}
    assert paths == {"name", "totalSeats", "nope", "price.x", "price.currency", "version"}


@pytest.mark.parametrize(
    ("method", "url", "body", "path"),
    [
        ("GET", "/events?limit=a", None, "limit"),
        ("GET", "/events?limit=-1", None, "limit"),
        ("GET", "/events?pageSize=-1", None, "pageSize"),
        ("POST", "/events", '{"title":"","total_seats":1}', "title"),
        ("POST", "/events", '{"name":"x","total_seats":1,"eventDate":"x"}', "eventDate"),
        ("POST", "/api/bookings/reserve", '{"eventId":0,"userId":"a"}', "eventId"),
    ],
)
async def test_a_wrong_field_has_the_name_that_was_sent(
    client: httpx.AsyncClient, script: Script, method: str, url: str, body: str, path: str
) -> None:
    """A client would be told of a field that it has never heard of."""
    answer = await client.request(method, url, content=body, headers=JSON)
    assert answer.status_code == 422
    assert {detail["path"] for detail in answer.json()["details"]} == {path}


INTEGER = "must be an integer"
PARTY = "must be from 1 to 20"
STATUSES = "DRAFT, PUBLISHED, CANCELLED, COMPLETED"
NO_TIME = "must be a time with its offset as of RFC 3339, like 2025-10-13T12:34:56Z"
LONGEST = "must be an integer from 1 to 9223372036854775807"


@pytest.mark.parametrize(
    ("method", "url", "body", "told"),
    [
        ("POST", "/api/bookings/reserve", "{}", ["value is required"] * 2),
        ("POST", "/api/bookings/reserve", '{"event_id":null}', ["value is required"] * 2),
        ("POST", "/cancel", "{}", ["value is required"] * 2),
        ("POST", "/auth/login", "{}", ["value is required"] * 2),
        (
            "POST",
            "/auth/login",
            '{"email":""}',
            ["value is required", "must be an e-mail address, like alice@example.com"],
        ),
        ("GET", "/api/bookings/user", None, ["value is required"]),
        ("GET", "/events/99999999999999999999", None, [LONGEST]),
        ("GET", "/events/9223372036854775808", None, [LONGEST]),
        (
            "POST",
            "/events",
            '{"name":" ","total_seats":1}',
            ["must not be blank or have control characters or line breaks"],
        ),
        (
            "POST",
            "/api/bookings/reserve",
            '{"event_id":1,"user_id":"a\\u0000"}',
            ["must not have control characters, invisible characters or line breaks"],
        ),
        (
            "POST",
            "/auth/send-code",
            '{"email":"a@example.com","type":"other"}',
            ["must be one of register"],
        ),
        (
            "GET",
            "/api/bookings/top-users?period=year&date=13.10.2025",
            None,
            ["must be one of day, week, month", "must be a day, like 2025-10-13"],
        ),
        ("GET", "/events?status=published", None, ["must be one of " + STATUSES]),
        ("GET", "/events?page=x", None, ["must be an integer from 1 to 100000"]),
        ("POST", "/book", '{"event_id":"a","user_id":"b","seat_count":99}', [PARTY]),
        ("POST", "/book", '{"event_id":"a","user_id":"b","seat_count":1e2}', [INTEGER]),
        ("POST", "/book", '{"event_id":"a","user_id":"b","seat_count":9999999999}', [PARTY]),
        ("GET", "/events?page=0", None, ["must be from 1 to 100000"]),
        (
            "POST",
            "/events",
            '{"name":1,"total_seats":1,"price":{"amount_minor":-1,"currency":"eur"}}',
            [
                "must be a string",
                "must be from 0 to 1000000000000",
                "must be a currency of ISO 4217 in upper case, like EUR",
            ],
        ),
        (
            "POST",
            "/events",
            '{"name":"x","total_seats":1,"key":"a b","one_booking_per_user":"yes"}',
            [
                "must be true or false",
                "must be 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`",
            ],
        ),
        ("GET", "/bookings/1", None, ["must be a UUID, like " + messages.booking().reference]),
    ],
)
async def test_mistakes_are_described_in_words(
    client: httpx.AsyncClient, script: Script, method: str, url: str, body: str, told: list[str]
) -> None:
    """People would have to read patterns and numbers of enums."""
    answer = await client.request(method, url, content=body, headers=JSON)
    assert [detail["message"] for detail in answer.json()["details"]] == told


async def test_an_enum_is_told_by_its_admitted_names(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client would be offered numbers, or names that are refused."""
    body = '{"role":"ADMIN"}'
    details = await refused(client, "/auth/register", body)
    found = {detail["path"]: detail["message"] for detail in details}
    assert found["role"] == "must be one of USER, ORGANIZER"
    assert found["email"] == "value is required"


async def test_details_are_bounded(client: httpx.AsyncClient, script: Script) -> None:
    """A body full of nonsense would get an answer of its own size."""
    names = ",".join(f'"{"x" * 500}{number}":1' for number in range(100))
    details = await refused(client, "/events", f"{{{names}}}")
    assert len(details) == 50
    assert max(len(detail["path"]) for detail in details) == 128


@pytest.mark.parametrize(
    ("sent", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1970-01-01t01:00:00.25+01:00", 0, 250_000_000),
        ("1969-12-31T23:59:59.999999999z", -1, 999_999_999),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("9999-12-31T23:59:59.9Z", 253_402_300_799, 900_000_000),
    ],
)
async def test_times_are_read_to_the_nanosecond(
    client: httpx.AsyncClient, script: Script, sent: str, seconds: int, nanos: int
) -> None:
    """A time would be rounded, or refused for its offset or its year."""
    script.answers["CreateEvent"] = lambda request: events_pb2.CreateEventResponse(
        event=messages.event()
    )
    body = {"name": "x", "total_seats": 0, "starts_at": sent}
    assert (await client.post("/events", json=body)).status_code == 201
    starts_at = script.asked[0].request.event.starts_at
    assert (starts_at.seconds, starts_at.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("2026-02-30T10:00:00Z", "must be on a day that the calendar has"),
        ("2025-02-29T10:00:00Z", "must be on a day that the calendar has"),
        ("2026-13-01T10:00:00Z", "must be on a day that the calendar has"),
        ("0000-02-30T10:00:00Z", "must be on a day that the calendar has"),
        ("2026-02-03T24:00:01Z", "must have a time of day from 00:00:00 to 23:59:59"),
        ("2026-02-03T23:59:60Z", "must have a time of day from 00:00:00 to 23:59:59"),
        ("2026-02-03T10:00:00+24:00", "must have an offset from -23:59 to +23:59"),
        ("0000-01-01T10:00:00Z", "must be a time in the years 1 to 9999"),
        ("0001-01-01T00:00:00+01:00", "must be a time in the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "must be a time in the years 1 to 9999"),
        ("2026-02-03", NO_TIME),
        ("2026-02-03T10:00:00", NO_TIME),
        ("tomorrow", NO_TIME),
        (1770112800, NO_TIME),
    ],
)
async def test_the_part_of_a_time_that_is_wrong_is_named(
    client: httpx.AsyncClient, script: Script, sent: object, message: str
) -> None:
    """A client would look for its mistake in the wrong part of the time."""
    body = {"name": "x", "total_seats": 0, "starts_at": sent}
    answer = await client.post("/events", json=body)
    assert answer.json()["details"] == [{"path": "starts_at", "message": message}]


@pytest.mark.parametrize(
    ("rpc", "body", "wrong"),
    [
        (
            "CreateBooking",
            '{"eventId":"x","seatCount":0,"nope":1,"seats":[]}',
            ["eventId", "nope", "seats", "seatCount"],
        ),
        ("CreateBooking", "{}", ["event_id", "seat_count"]),
        ("HoldSeats", '{"screening_id":1,"user_id":"a","seat_ids":["1"]}', ["seat_ids[0]"]),
        (
            "CreateEvent",
            '{"name":" ","price":{"amount_minor":"1","currency":"EUR"}}',
            ["price.amount_minor", "name", "total_seats"],
        ),
        (
            "CreateApiKey",
            '{"name":" ","scopes":["EVENTS_WRITE",null,1]}',
            ["scopes[1]", "scopes[2]", "name"],
        ),
    ],
)
async def test_fields_are_judged_though_another_cannot_be_read(
    rpc: str, body: str, wrong: list[str]
) -> None:
    """A form would be sent once for each of its faults, or a fault be told twice."""
    assert broken(rpc, body) == wrong


async def test_a_caller_with_a_token_need_not_name_the_user() -> None:
    """A client would have to know the id of its own account."""
    assert broken("Reserve", "{}") == ["event_id"]
    assert broken("Reserve", "{}", has_account=False) == ["event_id", "user_id"]


@pytest.mark.parametrize("body", ["{}", '{"seat_ids":null}'])
async def test_a_set_that_is_replaced_must_be_sent(body: str) -> None:
    """A client that forgets the seats would release all that were blocked."""
    assert broken("SetBlockedSeats", body) == ["seat_ids"]


def broken(rpc: str, body: str, *, has_account: bool = True) -> list[str]:
    """Decodes a body that must be refused, and names the fields that are wrong."""
    binding = next(each for each in read_bindings(SERVICES) if each.rpc.name == rpc)
    members = json_body.parse(body.encode())
    variables = dict.fromkeys(binding.variables, "1")
    with pytest.raises(ValidationFailed) as refused:
        Decoder(binding).decode(variables, {}, [], members, has_account=has_account)
    return [violation.path for violation in refused.value.violations]


async def test_null_is_absent_when_something_is_made(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that prints unset fields as null could create nothing."""
    script.answers["CreateEvent"] = lambda request: events_pb2.CreateEventResponse(
        event=messages.event()
    )
    body = {"name": "x", "total_seats": 0, "price": None, "status": None, "venue": None}
    assert (await client.post("/events", json=body)).status_code == 201
    event = script.asked[0].request.event
    assert [field.name for field, _ in event.ListFields()] == ["name", "total_seats"]


@pytest.mark.parametrize(
    "sent",
    [
        *("0", "01", "-1", "+1", "1.0", "1e3", "%201", "1%20", "1_000", "1%0A", "1%00", "abc"),
        *("%EF%BC%91", "%D9%A3", "%C2%B2", "9223372036854775808", "99999999999999999999"),
    ],
)
async def test_an_id_in_a_path_is_a_plain_number(
    client: httpx.AsyncClient, script: Script, sent: str
) -> None:
    """One event would have many paths: Python's int() takes spaces, signs and underscores."""
    answer = await client.get(f"/events/{sent}")
    assert answer.status_code == 422
    assert [detail["path"] for detail in answer.json()["details"]] == ["event_id"]
    assert not script.asked


async def test_the_largest_id_is_an_id(client: httpx.AsyncClient, script: Script) -> None:
    """An event with the last possible id could not be reached."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    assert (await client.get("/events/9223372036854775807")).status_code == 200
    assert script.asked[0].request.event_id == 2**63 - 1


@pytest.mark.parametrize(
    ("query", "status", "path"),
    [
        ("user_id=a&nope=1", 422, "nope"),
        ("user_id=a&user_id=a", 422, "user_id"),
        ("user_id=a&userId=a", 422, "userId"),
        ("", 422, "user_id"),
        ("user_id=", 422, "user_id"),
        ("user_id=a%00b", 422, "user_id"),
        ("user_id=a&page_size=x", 422, "page_size"),
        ("user_id=a&page_size=1.0", 422, "page_size"),
        ("user_id=a&page_size=-1", 422, "page_size"),
        ("user_id=a&page_size=%D9%A3", 422, "page_size"),
        ("user_id=a&page_size=2147483648", 422, "page_size"),
        ("user_id=a&page_size=", 422, "page_size"),
        ("user_id=%ff", 400, None),
        ("%ff=1", 400, None),
        ("user_id=%c0%af", 400, None),
    ],
)
async def test_a_wrong_query_is_refused(
    client: httpx.AsyncClient, script: Script, query: str, status: int, path: str | None
) -> None:
    """A misspelled filter would be ignored, and everything be listed."""
    answer = await client.get(f"/api/bookings/user?{query}")
    assert answer.status_code == status
    if path is None:
        assert answer.json() == {"error": "bad_request"}
    else:
        assert [detail["path"] for detail in answer.json()["details"]] == [path]
    assert not script.asked


@pytest.mark.parametrize(
    ("query", "user_id"),
    [("user_id=a+b", "a b"), ("userId=a%2Bb", "a+b"), ("user_id=%C3%A9;x=1", "é;x=1")],
)
async def test_a_query_is_decoded_as_forms_are(
    client: httpx.AsyncClient, script: Script, query: str, user_id: str
) -> None:
    """A value with a semicolon or a plus would arrive as another one."""
    script.answers["ListUserBookings"] = lambda _: bookings_pb2.ListUserBookingsResponse()
    answer = await client.get(f"/api/bookings/user?{query}&page_size=3")
    assert (answer.status_code, answer.json()) == (200, [])
    request: Any = script.asked[0].request
    assert (request.user_id, request.page_size) == (user_id, 3)


@pytest.mark.parametrize(
    "key",
    ["", '""', '"', '"a', "a b", '"a b"', "a\tb", "é", '"a";x=1', '"\\a"', "x" * 256, "a, b"],
)
async def test_a_wrong_idempotency_key_is_refused(
    client: httpx.AsyncClient, script: Script, key: str
) -> None:
    """A key that one side reads differently would protect nothing."""
    answer = await client.post(
        "/api/bookings/reserve",
        json={"event_id": 5, "user_id": "alice"},
        headers=[(b"Idempotency-Key", key.encode())],
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_idempotency_key"})
    assert not script.asked


async def test_two_idempotency_keys_are_none(client: httpx.AsyncClient, script: Script) -> None:
    """One of two keys would count, and nobody could say which."""
    answer = await client.post(
        "/api/bookings/reserve",
        json={"event_id": 5, "user_id": "alice"},
        headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "a")],
    )
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_idempotency_key"})


async def test_a_read_has_no_use_for_an_idempotency_key(
    client: httpx.AsyncClient, script: Script
) -> None:
    """Clients that send a key with everything could not read."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    answer = await client.get("/events/5", headers={"Idempotency-Key": "a b"})
    assert answer.status_code == 200
