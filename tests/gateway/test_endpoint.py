"""Whole exchanges over HTTP: what a client sends and what it gets."""

from typing import Any, Never

import grpc
import httpx
import pytest

from boxoffice.accounts.v1 import accounts_pb2
from boxoffice.bookings.v1 import bookings_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.rest.v1 import rest_pb2
from gateway.admission.gate import CredentialCheck
from gateway.endpoint import Endpoint
from gateway.rpc.call import CallContext
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.errors import Received, Violation
from tests.gateway import messages
from tests.gateway.bindings import ruled
from tests.gateway.requests import request
from tests.gateway.script import Answer, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALREADY_BOOKED = Received(
    grpc.StatusCode.ALREADY_EXISTS,
    "ALREADY_BOOKED",
    {"booking_id": "7", "inventory_revision": "12", "replayed": "true"},
)


def raising(refusal: Exception) -> Answer:
    """Makes an answer that is a refusal."""

    def answer(_: Any) -> Never:
        raise refusal

    return answer


async def test_a_reservation_is_answered_exactly(client: httpx.AsyncClient, script: Script) -> None:
    """Clients that compare the body would meet members that the contract does not have."""
    script.answers["Reserve"] = messages.reserved
    answer = await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    assert answer.status_code == 201
    assert answer.content == (
        b'{"booking_id":7,"event_id":5,"user_id":"alice","created_at":"2025-10-13T12:34:56.789Z"}'
    )
    assert answer.headers["location"] == "/api/bookings/booking/7"
    assert answer.headers["x-inventory-revision"] == "12"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "idempotent-replayed" not in answer.headers


async def test_a_public_response_has_a_lifetime() -> None:
    """Caches would keep what is private, or nothing at all."""

    async def call(request: Any, context: CallContext) -> Any:
        return events_pb2.GetEventResponse(event=messages.event())

    binding = ruled("GetEvent", rest_pb2.MethodRule(cache_seconds=60))
    authenticator = Authenticator(open_access=True, service_key="")
    endpoint = Endpoint(binding, call, CredentialCheck(authenticator, binding))
    answer = await endpoint(request("GET", "/events/5")._replace(variables={"event_id": "5"}))
    assert (b"cache-control", b"public, max-age=60") in answer.headers
    assert not {value for _, value in answer.headers} & {b"no-store"}


@pytest.mark.parametrize(("is_other", "status"), [(False, 201), (True, 202)])
async def test_a_success_may_have_another_status(is_other: bool, status: int) -> None:
    """A client would take an answer that created nothing for a creation."""

    async def call(request: Any, context: CallContext) -> Any:
        response = messages.reserved(request)
        response.replayed = is_other
        return response

    other = rest_pb2.OtherSuccess(field="replayed", status=202)
    rule = rest_pb2.MethodRule(other_success=other)
    binding = ruled("Reserve", rule)
    authenticator = Authenticator(open_access=True, service_key="")
    endpoint = Endpoint(binding, call, CredentialCheck(authenticator, binding))
    asked = request("POST", "/api/bookings/reserve")._replace(
        headers={b"content-type": b"application/json"}, body=b'{"event_id": 5, "user_id": "a"}'
    )
    answer = await endpoint(asked)
    assert answer.status == status
    assert (b"location" in dict(answer.headers)) == (status == 201)


@pytest.mark.parametrize("sent", ["key-1", '"key-1"'])
async def test_an_idempotency_key_reaches_the_service_unquoted(
    client: httpx.AsyncClient, script: Script, sent: str
) -> None:
    """A key and the same key in quotes would be two, and book twice."""
    script.answers["Reserve"] = lambda request: bookings_pb2.ReserveResponse(
        reservation=bookings_pb2.Reservation(booking_id=1), replayed=True
    )
    answer = await client.post(
        "/api/bookings/reserve",
        json={"eventId": 5, "userId": "alice"},
        headers={"Idempotency-Key": sent},
    )
    assert script.asked[0].request.request_id == "key-1"
    assert answer.headers["idempotent-replayed"] == "true"


async def test_a_response_without_content_has_no_body(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client would wait for a body, or take the next answer for it."""
    script.answers["Logout"] = lambda _: accounts_pb2.LogoutResponse()
    for _ in range(2):
        answer = await client.post("/auth/logout", json={"refreshToken": "token"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["cache-control"] == "no-store"
        assert not answer.headers.keys() & {"content-length", "content-type"}
    assert script.asked[0].request.refresh_token == "token"


async def test_a_session_is_answered_exactly(client: httpx.AsyncClient, script: Script) -> None:
    """A proxy would keep tokens, or a client meet unknown members."""
    script.answers["Login"] = lambda _: accounts_pb2.LoginResponse(session=messages.session())
    for path in ("/auth/login", "/api/auth/login"):
        answer = await client.post(path, json={"email": "a@example.com", "password": "secret"})
        assert (answer.status_code, answer.json()) == (200, messages.PRINTED_SESSION)
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("role", ["ADMIN", "OWNER", 1])
async def test_nobody_registers_with_a_role_of_their_own_choice(
    client: httpx.AsyncClient, script: Script, role: object
) -> None:
    """Anybody could become an admin."""
    body = {
        "firstname": "Ada",
        "lastname": "Lovelace",
        "email": "ada@example.com",
        "password": "correct horse",
        "emailVerificationCode": "123456",
        "role": role,
    }
    answer = await client.post("/auth/register", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "validation_error")
    assert [detail["path"] for detail in answer.json()["details"]] == ["role"]
    assert not script.asked


async def test_a_refusal_is_its_code_alone(client: httpx.AsyncClient, script: Script) -> None:
    """Clients that compare the body would meet members that the contract does not have."""
    script.answers["Reserve"] = raising(ALREADY_BOOKED)
    answer = await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    assert (answer.status_code, answer.content) == (409, b'{"error":"already_booked"}')
    assert answer.headers["content-location"] == "/api/bookings/booking/7"
    assert answer.headers["x-inventory-revision"] == "12"
    assert answer.headers["idempotent-replayed"] == "true"


async def test_a_response_of_megabytes_arrives(client: httpx.AsyncClient, script: Script) -> None:
    """A map of 40,000 seats would fail: gRPC clients take 4 MB by default."""
    name = "x" * (8 << 20)
    script.answers["Reserve"] = lambda _: bookings_pb2.ReserveResponse(
        reservation=bookings_pb2.Reservation(user_id=name)
    )
    answer = await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    assert answer.status_code == 201
    assert answer.json()["user_id"] == name


async def test_a_refusal_may_have_details(client: httpx.AsyncClient, script: Script) -> None:
    """A client that lost its seats would have to ask for each whether it is free."""
    details = messages.money(1250, "EUR")
    script.answers["Reserve"] = raising(
        Received(grpc.StatusCode.ALREADY_EXISTS, "ALREADY_BOOKED", details=details)
    )
    answer = await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    assert answer.json() == {
        "error": "already_booked",
        "details": {"amount_minor": 1250, "currency": "EUR"},
    }


async def test_a_service_knows_for_how_long_to_wait(
    client: httpx.AsyncClient, script: Script
) -> None:
    """Clients would come back after a second, whatever the service said."""
    script.answers["SendCode"] = raising(
        Received(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", {"retry_after_seconds": "42"})
    )
    body = {"email": "alice@example.com", "type": "register"}
    answer = await client.post("/auth/send-code", json=body)
    assert (answer.status_code, answer.content) == (429, b'{"error":"rate_limited"}')
    assert answer.headers.get_list("retry-after") == ["42"]
    assert answer.headers["ratelimit"] == '"service";r=0;t=42'
    assert answer.headers["ratelimit-policy"] == '"service";q=1;w=42'


async def test_fields_that_a_service_refuses_are_named_as_in_the_body(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that sent `starts_at` would be told of `event.starts_at`."""
    script.answers["CreateEvent"] = raising(
        Received(
            grpc.StatusCode.INVALID_ARGUMENT,
            "VALIDATION_ERROR",
            violations=[Violation("event.starts_at", "too late")],
        )
    )
    for name in ("starts_at", "eventDate"):
        body = {"name": "x", "total_seats": 1, name: messages.PRINTED_MOMENT}
        answer = await client.post("/events", json=body)
        assert answer.status_code == 422
        assert answer.json() == {
            "error": "validation_error",
            "details": [{"path": name, "message": "too late"}],
        }


async def test_a_created_event_is_printed_whole(client: httpx.AsyncClient, script: Script) -> None:
    """Clients would have to handle members that are missing."""
    script.answers["CreateEvent"] = lambda request: events_pb2.CreateEventResponse(
        event=messages.event(price=messages.money(1250, "EUR"))
    )
    answer = await client.post("/events", json={"title": "Concert", "totalSeats": 50})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/events/5"
    assert answer.headers["etag"] == '"16"'
    assert answer.json() == {
        "id": 5,
        "name": "Concert",
        "title": "Concert",
        "description": None,
        "total_seats": 50,
        "available_seats": None,
        "status": "PUBLISHED",
        "starts_at": None,
        "venue": None,
        "time_zone": None,
        "sales_open_at": None,
        "sales_close_at": None,
        "price": {"amount_minor": 1250, "currency": "EUR"},
        "key": None,
        "organizer_id": None,
        "one_booking_per_user": None,
        "version": 16,
        "created_at": messages.PRINTED_MOMENT,
        "updated_at": messages.PRINTED_MOMENT,
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_an_event_that_a_client_has_is_not_sent_again(
    client: httpx.AsyncClient, script: Script, method: str
) -> None:
    """Polling clients would get the same kilobytes each time."""
    script.answers["GetEvent"] = lambda _: events_pb2.GetEventResponse(event=messages.event())
    tag = (await client.get("/events/5")).headers["etag"]
    for _ in range(2):
        answer = await client.request(method, "/events/5", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert not answer.headers.keys() & {"content-length", "content-type"}
    stale = await client.get("/events/5", headers={"If-None-Match": '"15"'})
    assert stale.status_code == 200


async def test_a_read_at_a_revision_has_an_etag_of_what_it_showed(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A seat that a hold's end has freed would stay taken, by 304."""
    left = [50, 50, 51]
    script.answers["GetAvailability"] = lambda request: bookings_pb2.GetAvailabilityResponse(
        availability=bookings_pb2.Availability(event_id=request.event_id, left=left.pop(0)),
        inventory_revision=12,
    )
    path = "/api/events/5/availability"
    tag = (await client.get(path)).headers["etag"]
    assert tag.startswith('"12-')
    same, other = [await client.get(path, headers={"If-None-Match": tag}) for _ in range(2)]
    assert (same.status_code, same.headers["x-inventory-revision"]) == (304, "12")
    assert (other.status_code, other.json()["left"]) == (200, 51)


async def test_an_event_that_came_compressed_can_be_changed(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that got it compressed could never change it: 412 for ever."""
    text = "opera " * 500
    script.answers["GetEvent"] = lambda _: events_pb2.GetEventResponse(
        event=messages.event(description=text)
    )
    script.answers["UpdateEvent"] = lambda _: events_pb2.UpdateEventResponse(event=messages.event())
    answer = await client.get("/events/5", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 1000
    assert answer.json()["description"] == text
    tag = answer.headers["etag"]
    assert tag != '"16"'
    await client.patch("/events/5", json={"name": "Opera"}, headers={"If-Match": tag})
    assert script.asked[1].request.if_match == '"16"'


async def test_whoever_asks_for_more_seats_than_are_left_is_told_how_many(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A group would have to guess how many seats are left."""
    script.answers["Reserve"] = raising(
        Received(grpc.StatusCode.FAILED_PRECONDITION, "SOLD_OUT", {"seats_left": "2"})
    )
    answer = await client.post("/api/bookings/reserve", json={"event_id": 5, "user_id": "alice"})
    assert (answer.status_code, answer.json()) == (409, {"error": "sold_out"})
    assert answer.headers["x-seats-left"] == "2"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
async def test_an_update_names_the_fields_that_are_present(
    client: httpx.AsyncClient, script: Script, method: str
) -> None:
    """Null would not clear a field, or an absent one be cleared."""
    script.answers["UpdateEvent"] = lambda request: events_pb2.UpdateEventResponse(
        event=messages.event()
    )
    body = {"total_seats": 60, "price": None, "eventDate": "2030-01-01T20:00:00+02:00"}
    headers = [("If-Match", '"15"'), ("If-Match", '"16"')]
    answer = await client.request(method, "/events/5", json=body, headers=headers)
    assert answer.status_code == 200
    request = script.asked[0].request
    assert request.event_id == 5
    assert list(request.update_mask.paths) == ["total_seats", "price", "starts_at"]
    assert request.event.total_seats == 60
    assert not request.event.HasField("price")
    assert request.event.starts_at.ToJsonString() == "2030-01-01T18:00:00Z"
    assert request.if_match == '"15", "16"'


async def test_a_fetched_event_can_be_edited_and_put(
    client: httpx.AsyncClient, script: Script
) -> None:
    """Output-only fields and the copy of `name` would be refused."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    script.answers["UpdateEvent"] = lambda request: events_pb2.UpdateEventResponse(
        event=request.event
    )
    fetched = (await client.get("/events/5")).json()
    answer = await client.put("/events/5", json=fetched | {"name": "Opera"})
    assert answer.status_code == 200
    assert script.asked[1].request.event.name == "Opera"
    assert not {"id", "version", "created_at"} & set(script.asked[1].request.update_mask.paths)


async def test_a_copy_that_differs_is_for_the_service_to_weigh(
    client: httpx.AsyncClient, script: Script
) -> None:
    """The edited one of two copies would be lost."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    script.answers["UpdateEvent"] = lambda request: events_pb2.UpdateEventResponse(
        event=request.event
    )
    fetched = (await client.get("/events/5")).json()
    for edited in ({"title": "Opera"}, {"name": "Opera", "title": "Opera"}):
        assert (await client.put("/events/5", json=fetched | edited)).status_code == 200
    _, differing, alike = (asked.request for asked in script.asked)
    assert (differing.event.name, differing.copied_name) == (fetched["name"], "Opera")
    assert (alike.event.name, alike.HasField("copied_name")) == ("Opera", False)
    assert (await client.put("/events/5?copied_name=x", json={"name": "x"})).status_code == 422


async def test_a_field_and_its_copy_alike_make_an_event(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client that sends back both would be refused."""
    script.answers["CreateEvent"] = lambda request: events_pb2.CreateEventResponse(
        event=request.event
    )
    for names in (("name", "title"), ("title", "name")):
        body = dict.fromkeys(names, "Opera") | {"total_seats": 1}
        answer = await client.post("/events", json=body)
        assert (answer.status_code, answer.json()["name"]) == (201, "Opera")


async def test_a_title_alone_changes_the_name(client: httpx.AsyncClient, script: Script) -> None:
    """A client that knows `title` alone could not change it."""
    script.answers["UpdateEvent"] = lambda request: events_pb2.UpdateEventResponse(
        event=request.event
    )
    answer = await client.patch("/events/5", json={"title": "Opera"})
    assert answer.json()["name"] == "Opera"


async def test_head_answers_like_get_without_the_body(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client would learn another length than that of the body."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    answer = await client.head("/events/5")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 300


async def test_only_the_id_and_the_credentials_are_forwarded(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client could send metadata that services trust."""
    script.answers["GetEvent"] = lambda request: events_pb2.GetEventResponse(event=messages.event())
    headers = {"X-Request-Id": "abc-1", "Cookie": "a=b", "X-Forwarded-User": "root"}
    answer = await client.get("/events/5", headers=headers)
    assert answer.headers["x-request-id"] == "abc-1"
    metadata = script.asked[0].metadata
    assert metadata["x-request-id"] == "abc-1"
    assert set(metadata) <= {"x-request-id", "user-agent"}


async def test_the_order_of_checks_is_the_contracts(
    client: httpx.AsyncClient, script: Script
) -> None:
    """A client would mend one mistake after another in a surprising order."""
    url, json_type = "/events", {"content-type": "application/json"}
    token, body = {"authorization": "Bearer x"}, b'{"name":"x","total_seats":"1"}'
    exchanges = [
        (
            await client.post("/nowhere", headers={**token, "accept": "text/html"}, content=b"{"),
            404,
            "not_found",
        ),
        (await client.delete(url, headers=token), 405, "method_not_allowed"),
        (
            await client.post(url, headers={**token, "accept": "text/html"}, content=b"{"),
            406,
            "not_acceptable",
        ),
        (await client.post(url, headers=token, content=b"{"), 415, "unsupported_media_type"),
        (await client.post(url, headers=token | json_type, content=b"{"), 400, "malformed_json"),
        (await client.post(url, headers=token | json_type, content=body), 401, "invalid_token"),
        (await client.post(url, headers=json_type, content=body), 422, "validation_error"),
    ]
    for answer, status, code in exchanges:
        assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert not script.asked


@pytest.mark.parametrize("authorization", ["Bearer x", "Service secret", "Basic YTpi", "x"])
async def test_no_credential_is_valid_yet(
    client: httpx.AsyncClient, script: Script, authorization: str
) -> None:
    """A client could call as a service."""
    answer = await client.get("/events/5", headers={"authorization": authorization})
    assert (answer.status_code, answer.content) == (401, b'{"error":"invalid_token"}')
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not script.asked
