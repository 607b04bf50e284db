"""Credentials in a running system: which are accepted, and until when."""

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from boxoffice.accounts.v1 import accounts_pb2, accounts_pb2_grpc, identity_pb2, identity_pb2_grpc
from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc, events_pb2, events_pb2_grpc
from services.accounts.people.administration import Administration
from services.kit.rpc.errors import refusal_from_call
from tests.e2e.accounts import Person, add_accounts, key_of
from tests.e2e.client import new_user, open_client, refusal
from tests.e2e.system import SERVICE_KEY, System, until
from tests.pools import patient_pool
from tests.services.accounts.client import execute, read
from tests.services.issuer import ScriptedIssuer

KNOWN_SECONDS = 30
PASSWORD = "correct horse battery"
SPOOFED = {
    "x-user-id": "admin",
    "x-user": "admin",
    "x-role": "ADMIN",
    "x-roles": "ADMIN",
    "x-scopes": "EVENTS_WRITE",
    "x-forwarded-user": "admin",
    "x-authenticated-user": "admin",
    "x-remote-user": "admin",
    "x-service-key": SERVICE_KEY,
    "x-is-service": "true",
    "x-caller": "service",
    "proxy-authorization": f"Service {SERVICE_KEY}",
    "grpc-metadata-authorization": f"Service {SERVICE_KEY}",
    "cookie": "access_token=admin; user_id=admin; role=ADMIN",
}


@pytest.fixture(scope="module")
def closed(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Runs a system on the same database, without open access."""
    folder = tmp_path_factory.mktemp("closed")
    with System(system.database, folder, BOXOFFICE_OPEN_ACCESS="false") as running:
        yield running


@pytest.fixture(scope="module")
def people(closed: System) -> dict[str, Person]:
    """Makes some accounts."""
    roles = {"user": "USER", "owner": "ORGANIZER", "admin": "ADMIN", "leaver": "ORGANIZER"}
    return add_accounts(closed.database, roles)


@pytest.fixture
def stranger(closed: System) -> Iterator[httpx.Client]:
    """Returns a client of the closed system."""
    with open_client(closed.url) as opened:
        yield opened


def header(authorization: str) -> dict[str, str]:
    """Returns the header of a credential."""
    return {"Authorization": authorization}


def test_only_the_authorization_header_authenticates(
    stranger: httpx.Client, people: dict[str, Person]
) -> None:
    """Another header could pass for a credential."""
    stranger.headers.update(SPOOFED)
    assert refusal(stranger.get("/auth/me")) == (401, "unauthenticated")
    assert refusal(stranger.get("/api/bookings")) == (401, "unauthenticated")
    me = stranger.get("/auth/me", headers=header(people["user"].authorization))
    assert (me.json()["id"], me.json()["role"]) == (people["user"].id, "USER")
    event = {"name": "Concert", "total_seats": 1}
    created = stranger.post("/events", json=event, headers=header(people["user"].authorization))
    assert refusal(created) == (403, "permission_denied")


@pytest.mark.parametrize("where", ["access_token", "token", "authorization", "user_id", "role"])
def test_a_credential_in_the_query_does_not_authenticate(
    stranger: httpx.Client, people: dict[str, Person], where: str
) -> None:
    """A token in a URL could be accepted, and would be in every log on its way."""
    token = people["admin"].authorization.removeprefix("Bearer ")
    response = stranger.get("/api/bookings", params={where: token})
    assert refusal(response) in {(401, "unauthenticated"), (422, "validation_error")}


async def test_a_service_checks_the_credential_of_each_call(closed: System) -> None:
    """A client that calls a service directly could pass as anybody."""
    spoofed = tuple((name, value) for name, value in SPOOFED.items() if name != "cookie")
    async with (
        grpc.aio.insecure_channel(closed.accounts_target) as accounts,
        grpc.aio.insecure_channel(closed.events_target) as events,
        grpc.aio.insecure_channel(closed.bookings_targets[0]) as bookings,
    ):
        calls: list[tuple[Any, Any, str]] = [
            (
                events_pb2_grpc.EventsServiceStub(events).DeleteEvent,
                events_pb2.DeleteEventRequest(event_id=1),
                "UNAUTHENTICATED",
            ),
            (
                catalogue_pb2_grpc.CatalogueServiceStub(events).ListEventStates,
                catalogue_pb2.ListEventStatesRequest(),
                "PERMISSION_DENIED",
            ),
            (
                bookings_pb2_grpc.BookingsServiceStub(bookings).ListBookings,
                bookings_pb2.ListBookingsRequest(),
                "UNAUTHENTICATED",
            ),
            (
                inventory_pb2_grpc.InventoryServiceStub(bookings).CancelBooking,
                inventory_pb2.CancelBookingRequest(booking_id=1),
                "PERMISSION_DENIED",
            ),
            (
                accounts_pb2_grpc.AccountsServiceStub(accounts).GetMe,
                accounts_pb2.GetMeRequest(),
                "UNAUTHENTICATED",
            ),
            (
                identity_pb2_grpc.IdentityServiceStub(accounts).ListRevocations,
                identity_pb2.ListRevocationsRequest(),
                "PERMISSION_DENIED",
            ),
        ]
        for rpc, request, reason in calls:
            assert await refused(rpc, request, spoofed) == reason
            made_up = (*spoofed, ("authorization", f"Bearer {ScriptedIssuer().token('acct_1')}"))
            assert await refused(rpc, request, made_up) == "INVALID_TOKEN"
            wrong = (*spoofed, ("authorization", "Service wrong"))
            assert await refused(rpc, request, wrong) == "INVALID_TOKEN"


async def refused(rpc: Any, request: Any, metadata: Any) -> str:
    """Makes a call that must be refused; returns the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc(request, timeout=10, metadata=metadata)
    refusal = refusal_from_call(caught.value)
    assert refusal is not None, caught.value
    return refusal.reason


def test_other_secrets_are_no_access_tokens(stranger: httpx.Client) -> None:
    """A refresh token, a code or a password could pass for an access token."""
    person = {"name": "Ada", "email": f"{new_user()}@example.com", "password": PASSWORD}
    session = stranger.post("/api/auth/register", json=person).json()
    token, refresh = session["access_token"], session["refresh_token"]
    assert stranger.get("/auth/me", headers=header(f"Bearer {token}")).status_code == 200
    for other in (refresh, "123456", PASSWORD.replace(" ", "-"), session["user"]["id"]):
        answer = stranger.get("/auth/me", headers=header(f"Bearer {other}"))
        assert refusal(answer) == (401, "invalid_token")
    renewed = stranger.post("/api/auth/refresh", json={"refresh_token": token})
    assert renewed.status_code == 401


def test_users_cannot_choose_their_role(stranger: httpx.Client) -> None:
    """A user could choose a role when registering or editing the profile."""
    person = {"name": "Eve", "email": f"{new_user()}@example.com", "password": PASSWORD}
    for wish in ({"role": "ADMIN"}, {"is_admin": True}, {"scopes": ["EVENTS_WRITE"]}):
        asked = stranger.post("/api/auth/register", json=person | wish)
        assert refusal(asked) == (422, "validation_error")
    session = stranger.post("/api/auth/register", json=person).json()
    headers = header(f"Bearer {session['access_token']}")
    stranger.patch("/auth/me", json={"role": "ADMIN"}, headers=headers)
    assert stranger.get("/auth/me", headers=headers).json()["role"] == "USER"


def test_a_token_is_valid_in_a_second_system_on_the_same_database(
    client: httpx.Client, stranger: httpx.Client, people: dict[str, Person]
) -> None:
    """A second system on the same database could refuse a valid token."""
    for each in (client, stranger):
        me = each.get("/auth/me", headers=header(people["owner"].authorization))
        assert me.json()["id"] == people["owner"].id


@pytest.mark.slow
def test_ended_credentials_are_refused_within_half_a_minute(
    closed: System, stranger: httpx.Client, people: dict[str, Person]
) -> None:
    """A cached token or API key could outlive a ban, a new role, a log-out or its deletion."""
    changed = add_accounts(closed.database, {"banned": "ORGANIZER", "demoted": "ORGANIZER"})
    event = organized(stranger, people["owner"].authorization, status="PUBLISHED")
    draft = organized(stranger, people["owner"].authorization, status="DRAFT")
    asked: list[tuple[str, str, str, Any]] = [
        (people["leaver"].authorization, "GET", "/events/organizer/my-events", None),
        (key_of(closed.database, people["owner"], "EVENTS_WRITE"), "GET", f"/events/{draft}", None),
    ]
    for person in changed.values():
        asked += [
            (person.authorization, "GET", "/auth/me", None),
            (person.authorization, "POST", "/events", {"name": "Concert", "total_seats": 1}),
            (person.authorization, "POST", "/bookings", {"event_id": event, "seat_count": 1}),
        ]

    def statuses() -> set[int]:
        return {
            stranger.request(method, path, json=body, headers=header(credential)).status_code
            for credential, method, path, body in asked
        }

    assert statuses() == {200, 201}
    leaving = stranger.post("/auth/logout-all", headers=header(people["leaver"].authorization))
    assert leaving.status_code == 204
    delete = "DELETE FROM api_keys WHERE account_id = %(id)s"
    execute(closed.database, delete, id=people["owner"].id)
    asyncio.run(ban_and_demote(closed, changed["banned"], changed["demoted"]))
    until(lambda: statuses() == {401}, seconds=KNOWN_SECONDS, pause_seconds=0.2)


def organized(client: httpx.Client, authorization: str, *, status: str) -> int:
    """Creates an event; returns its id."""
    body = {"name": "Gig", "total_seats": 9, "status": status}
    made = client.post("/events", json=body, headers=header(authorization))
    assert made.status_code == 201, made.text
    return int(made.json()["id"])


async def ban_and_demote(system: System, banned: Person, demoted: Person) -> None:
    """Changes two accounts as the operator's command does."""
    emails = [
        read(system.database, "SELECT email FROM accounts WHERE id = %(id)s", id=person.id)[0][0]
        for person in (banned, demoted)
    ]
    async with patient_pool(system.database.accounts_dsn, schema="accounts", size=2) as pool:
        administration = Administration(pool)
        await administration.ban(emails[0])
        await administration.set_role(emails[1], "USER")
