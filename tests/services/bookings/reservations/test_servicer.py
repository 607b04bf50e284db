import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import psycopg
import pytest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc

from boxoffice.bookings.v1 import (
    bookings_pb2,
    bookings_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    seats_pb2_grpc,
    tickets_pb2_grpc,
    waiting_list_pb2,
    waiting_list_pb2_grpc,
)
from boxoffice.events.v1 import catalogue_pb2, catalogue_pb2_grpc, events_pb2, seat_plans_pb2
from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc
from services.bookings.__main__ import serving
from services.bookings.errors import EventNotFound
from services.bookings.settings import Settings
from services.kit.rpc.errors import Refusal, abort, refusal_from_call, refusal_from_status
from services.kit.server.server import DATABASE
from tests.conftest import Database
from tests.services.batch_items import batch, item, reason
from tests.services.conditions import until, until_blocked

KEY = "services-secret"
# How long a process may take to start on a busy machine.
PROCESS_SECONDS = 60
SERVICE = (("authorization", f"Service {KEY}"),)
EPOCH = "epoch"
Context = grpc.aio.ServicerContext[Any, Any]


class FakeCatalogue(catalogue_pb2_grpc.CatalogueServiceServicer):
    """A server of events with the states that a test has put there."""

    def __init__(self) -> None:
        self.states: dict[int, catalogue_pb2.EventState] = {}
        self.plans: dict[int, seat_plans_pb2.SeatPlan] = {}
        self.authorizations: set[str] = set()

    def put(self, event_id: int, total_seats: int = 50, **changes: Any) -> catalogue_pb2.EventState:
        """Puts an event on sale, unless the changes say otherwise."""
        values: dict[str, Any] = {
            "revision": 1,
            "name": "Concert",
            "epoch": EPOCH,
            "status": events_pb2.EVENT_STATUS_PUBLISHED,
        }
        values |= changes
        state = catalogue_pb2.EventState(event_id=event_id, total_seats=total_seats, **values)
        self.states[event_id] = state
        return state

    async def GetEventState(  # noqa: N802
        self, request: catalogue_pb2.GetEventStateRequest, context: Context
    ) -> catalogue_pb2.GetEventStateResponse:
        """Returns a state, or refuses as events does."""
        metadata = dict(context.invocation_metadata() or ())
        self.authorizations.add(str(metadata.get("authorization")))
        if request.event_id not in self.states:
            await abort(context, EventNotFound())
        return catalogue_pb2.GetEventStateResponse(state=self.states[request.event_id])

    async def ListChanges(  # noqa: N802
        self, request: catalogue_pb2.ListChangesRequest, context: Context
    ) -> catalogue_pb2.ListChangesResponse:
        """Returns no changes."""
        return catalogue_pb2.ListChangesResponse(epoch=EPOCH)

    async def ListEventStates(  # noqa: N802
        self, request: catalogue_pb2.ListEventStatesRequest, context: Context
    ) -> catalogue_pb2.ListEventStatesResponse:
        """Returns no states, so that bookings reads each event on demand."""
        return catalogue_pb2.ListEventStatesResponse(epoch=EPOCH)

    async def GetSeatPlan(  # noqa: N802
        self, request: catalogue_pb2.GetSeatPlanRequest, context: Context
    ) -> catalogue_pb2.GetSeatPlanResponse:
        """Returns a plan that a test has put there."""
        return catalogue_pb2.GetSeatPlanResponse(plan=self.plans[request.plan_id])


@dataclass
class Running:
    """Bookings as its own process would serve it, with stubs of its services."""

    bookings: Any
    batches: Any
    inventory: Any
    waiting_list: Any
    seats: Any
    tickets: Any
    catalogue: FakeCatalogue

    async def reserve(self, event_id: int = 1, user_id: str = "ada", key: str = "") -> Any:
        """Reserves a seat."""
        return await self.bookings.Reserve(
            bookings_pb2.ReserveRequest(event_id=event_id, user_id=user_id, request_id=key)
        )

    async def apply(self, state: catalogue_pb2.EventState) -> Any:
        """Applies a state as events does."""
        request = inventory_pb2.ApplyEventRequest(state=state)
        return await self.inventory.ApplyEvent(request, metadata=SERVICE)


def settings(
    database: Database, events_target: str, *, open_access: bool = True, **changes: Any
) -> Settings:
    """Makes settings for bookings."""
    values: dict[str, Any] = {
        "database_url": database.bookings_dsn,
        "listen": "127.0.0.1:0",
        "events_target": events_target,
        "BOXOFFICE_SERVICE_KEY": KEY,
        "BOXOFFICE_OPEN_ACCESS": open_access,
    }
    return Settings(**(values | changes))


@contextlib.asynccontextmanager
async def catalogue_serving() -> AsyncIterator[tuple[FakeCatalogue, str]]:
    """Serves a fake catalogue; yields it and its address."""
    catalogue, server = FakeCatalogue(), grpc.aio.server()
    catalogue_pb2_grpc.add_CatalogueServiceServicer_to_server(catalogue, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield catalogue, f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def called_over(channel: grpc.aio.Channel, catalogue: FakeCatalogue) -> Running:
    """Makes stubs over a channel to bookings."""
    return Running(
        bookings_pb2_grpc.BookingsServiceStub(channel),
        batch_pb2_grpc.BatchServiceStub(channel),
        inventory_pb2_grpc.InventoryServiceStub(channel),
        waiting_list_pb2_grpc.WaitingListServiceStub(channel),
        seats_pb2_grpc.SeatsServiceStub(channel),
        tickets_pb2_grpc.TicketsServiceStub(channel),
        catalogue,
    )


@contextlib.asynccontextmanager
async def bookings_serving(
    database: Database, *, is_reachable: bool = True, **changes: Any
) -> AsyncIterator[Running]:
    """Serves bookings beside a fake catalogue; waits until the database is reachable, if it is."""
    async with (
        catalogue_serving() as (catalogue, target),
        serving(settings(database, target, **changes)) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        if is_reachable:
            await until(lambda: _is_healthy(channel, DATABASE))
        yield called_over(channel, catalogue)


async def _is_healthy(channel: grpc.aio.Channel, service: str) -> bool:
    health: Any = health_pb2_grpc.HealthStub(channel)
    service = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].full_name
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
    except grpc.aio.AioRpcError:  # the first check is still to come
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Running]:
    """Serves bookings with open access."""
    async with bookings_serving(database) as served:
        yield served


async def refused(call: Any) -> Refusal:
    """Awaits a call that must be refused; returns the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    refusal = refusal_from_call(failure.value)
    assert refusal is not None, failure.value
    return refusal


async def test_a_seat_of_an_event_that_was_just_made_is_reserved(running: Running) -> None:
    """Over gRPC, a new event could not be booked until its state is pushed."""
    running.catalogue.put(1)
    response = await running.reserve()
    assert response.reservation.event_id == 1
    assert response.reservation.user_id == "ada"
    assert response.reservation.created_at.seconds > 0
    assert (response.inventory_revision, response.replayed) == (2, False)
    assert running.catalogue.authorizations == {f"Service {KEY}"}


async def test_refusals_carry_what_the_contract_says(running: Running) -> None:
    """Clients would miss the reason, the revision, or the id of the existing booking."""
    running.catalogue.put(1, total_seats=1)
    running.catalogue.put(2, status=events_pb2.EVENT_STATUS_COMPLETED)
    made = (await running.reserve()).reservation
    again = await refused(running.reserve())
    assert (again.code, again.reason) == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_BOOKED")
    assert again.metadata == {"booking_id": str(made.booking_id), "inventory_revision": "2"}
    full = await refused(running.reserve(user_id="bob"))
    assert (full.code, full.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SOLD_OUT")
    assert full.metadata == {"inventory_revision": "2"}
    assert (await refused(running.reserve(2))).reason == "EVENT_NOT_BOOKABLE"
    assert (await refused(running.reserve(3))).reason == "EVENT_NOT_FOUND"


async def test_look_alikes_are_one_user(running: Running) -> None:
    """A name in composed and decomposed letters would be two users, who book twice."""
    running.catalogue.put(1)
    composed, decomposed = "d\u00e9", "de\u0301"
    await running.reserve(user_id=composed)
    assert (await refused(running.reserve(user_id=decomposed))).reason == "ALREADY_BOOKED"
    request = bookings_pb2.ListUserBookingsRequest(user_id=decomposed)
    assert len((await running.bookings.ListUserBookings(request)).bookings) == 1


async def test_a_key_is_answered_again(running: Running) -> None:
    """A client that lost the response would book again, or not learn that it is a repetition."""
    running.catalogue.put(1)
    first = await running.reserve(key="k")
    again = await running.reserve(key="k")
    assert again.replayed
    assert again.reservation == first.reservation
    assert again.inventory_revision == first.inventory_revision


async def test_the_items_of_a_batch_fail_alone(running: Running) -> None:
    """A bad field, token or event would fail other items, or responses change their order."""
    running.catalogue.put(1, total_seats=2)
    good = [bookings_pb2.ReserveRequest(event_id=1, user_id=user) for user in ("ada", "bob", "cy")]
    items = [
        item(good[0]),
        item(bookings_pb2.ReserveRequest(event_id=0, user_id="ada")),
        item(good[1], authorization="Bearer x.y.z"),
        item(bookings_pb2.ReserveRequest()),
        item(bookings_pb2.ReserveRequest(event_id=9, user_id="ada")),
        item(good[0]),
        item(good[1]),
        item(good[2]),
    ]
    results = (await running.batches.Batch(batch_pb2.BatchRequest(items=items))).results
    assert list(map(reason, results)) == [
        "",
        "VALIDATION_ERROR",
        "INVALID_TOKEN",
        "VALIDATION_ERROR",
        "EVENT_NOT_FOUND",
        "ALREADY_BOOKED",
        "",
        "SOLD_OUT",
    ]
    made = bookings_pb2.ReserveResponse.FromString(results[6].response)
    assert made.reservation.user_id == "bob"


async def test_methods_share_a_batch(running: Running) -> None:
    """An item would be served by the handler of another method."""
    running.catalogue.put(1, key="gig", total_seats=9)
    made = (await running.reserve(user_id="bob")).reservation
    found = await running.bookings.GetBooking(
        bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    )
    reference = found.booking.reference
    await running.reserve(user_id="cy")
    asked = batch(
        bookings_pb2.ReserveRequest(event_id=1, user_id="ada"),
        waiting_list_pb2.BookRequest(event_id="gig", user_id="di"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="cy"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="eve"),
        bookings_pb2.CancelBookingByReferenceRequest(reference=reference),
        bookings_pb2.CreateBookingRequest(event_id=1, seat_count=2),
        bookings_pb2.ReserveRequest(event_id=2, user_id="ada"),
    )
    results = (await running.batches.Batch(asked)).results
    assert list(map(reason, results)) == [
        "",
        "",
        "",
        "BOOKING_NOT_FOUND",
        "",
        "UNAUTHENTICATED",
        "EVENT_NOT_FOUND",
    ]
    result = waiting_list_pb2.BookResponse.FromString(results[1].response).result
    assert (result.status, result.user_id) == ("booked", "di")
    cancelled = bookings_pb2.CancelBookingByReferenceResponse.FromString(results[4].response)
    assert cancelled.booking.reference == reference
    left = await running.bookings.GetAvailability(bookings_pb2.GetAvailabilityRequest(event_id=1))
    assert left.availability.booked == 2


async def test_what_another_transaction_has_locked_is_asked_again(
    running: Running, database: Database
) -> None:
    """An item for a locked event would hold up the whole batch of the gateway."""
    running.catalogue.put(1, key="gig")
    made = (await running.reserve(user_id="ada")).reservation
    by_number = bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    reference = (await running.bookings.GetBooking(by_number)).booking.reference
    asked = (
        bookings_pb2.ReserveRequest(event_id=1, user_id="bob"),
        bookings_pb2.CancelBookingByReferenceRequest(reference=reference),
        waiting_list_pb2.BookRequest(event_id="gig", user_id="cy"),
        waiting_list_pb2.CancelRequest(event_id="gig", user_id="di"),
    )
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory FOR UPDATE")
        results = (await running.batches.Batch(batch(*asked, skip_busy=True))).results
        assert [result.busy for result in results] == [True] * 4
    results = (await running.batches.Batch(batch(*asked))).results
    assert list(map(reason, results)) == ["", "", "", "BOOKING_NOT_FOUND"]


async def test_a_closed_bookings_admits_no_item_without_a_token(database: Database) -> None:
    """An item of a batch would be served without the token that its unary call needs."""
    async with bookings_serving(database, open_access=False) as closed:
        closed.catalogue.put(1)
        assert (await refused(closed.reserve())).reason == "UNAUTHENTICATED"
        asked = batch(bookings_pb2.ReserveRequest(event_id=1, user_id="ada"))
        [result] = (await closed.batches.Batch(asked)).results
        assert reason(result) == "UNAUTHENTICATED"


async def test_no_guest_uses_the_id_of_an_account(running: Running) -> None:
    """A guest could book or list bookings in the name of an account."""
    running.catalogue.put(1)
    assert (await refused(running.reserve(user_id="acct_ada"))).reason == "UNAUTHENTICATED"
    asked = batch(bookings_pb2.ReserveRequest(event_id=1, user_id="acct_ada"))
    [result] = (await running.batches.Batch(asked)).results
    assert reason(result) == "UNAUTHENTICATED"
    listing = bookings_pb2.ListUserBookingsRequest(user_id="acct_ada")
    assert (await refused(running.bookings.ListUserBookings(listing))).reason == "UNAUTHENTICATED"


async def test_a_guest_says_who_books(running: Running) -> None:
    """A request without token and user would be booked for nobody."""
    asked = batch(bookings_pb2.ReserveRequest(event_id=1))
    [result] = (await running.batches.Batch(asked)).results
    missed = refusal_from_status(Status.FromString(result.error))
    assert missed is not None
    assert [violation.path for violation in missed.violations] == ["user_id"]
    nameless = running.bookings.Reserve(bookings_pb2.ReserveRequest(event_id=1))
    assert [violation.path for violation in (await refused(nameless)).violations] == ["user_id"]


async def test_a_guest_cancels_by_the_reference(running: Running) -> None:
    """A guest could not read and cancel a booking by reference, or cancel it twice."""
    running.catalogue.put(1)
    made = (await running.reserve()).reservation
    by_number = bookings_pb2.GetBookingRequest(booking_id=made.booking_id)
    reference = (await running.bookings.GetBooking(by_number)).booking.reference
    found = bookings_pb2.GetBookingByReferenceRequest(reference=reference.upper())
    response = await running.bookings.GetBookingByReference(found)
    assert response.booking.id == made.booking_id
    asked = bookings_pb2.CancelBookingByReferenceRequest(reference=reference, request_id="k")
    cancelled = await running.bookings.CancelBookingByReference(asked)
    assert cancelled.booking.status == bookings_pb2.BOOKING_STATUS_CANCELLED
    assert cancelled.booking.HasField("cancelled_at")
    assert (cancelled.inventory_revision, cancelled.replayed) == (3, False)
    again = await running.bookings.CancelBookingByReference(asked)
    assert again.replayed
    assert again.booking == cancelled.booking
    asked.request_id = ""
    refusal = await refused(running.bookings.CancelBookingByReference(asked))
    assert (refusal.reason, refusal.metadata) == ("ALREADY_CANCELLED", {"inventory_revision": "3"})
    asked.reference = str(uuid4())
    none = await refused(running.bookings.CancelBookingByReference(asked))
    assert none.reason == "BOOKING_NOT_FOUND"


async def test_seats_are_counted_one_by_one_and_in_a_batch(running: Running) -> None:
    """The number of free seats would differ between unary calls and batches."""
    running.catalogue.put(1, total_seats=3)
    await running.reserve()
    one = bookings_pb2.GetAvailabilityRequest(event_id=1)
    counted = await running.bookings.GetAvailability(one)
    seats = bookings_pb2.Availability(event_id=1, total_seats=3, booked=1, left=2)
    assert (counted.availability, counted.inventory_revision) == (seats, 2)
    items = [bookings_pb2.GetAvailabilityRequest(event_id=number) for number in (1, 0, 9, 1)]
    together = bookings_pb2.BatchGetAvailabilityRequest(items=items)
    results = (await running.bookings.BatchGetAvailability(together)).results
    assert [results[index].response.availability for index in (0, 3)] == [seats, seats]
    refusals = [refusal_from_status(results[index].error) for index in (1, 2)]
    reasons = [refusal.reason for refusal in refusals if refusal]
    assert reasons == ["VALIDATION_ERROR", "EVENT_NOT_FOUND"]
    shared = (await running.batches.Batch(batch(*items))).results
    assert [reason(result) for result in shared] == ["", *reasons, ""]
    assert bookings_pb2.GetAvailabilityResponse.FromString(shared[3].response) == counted


async def test_bookings_are_listed_and_read(running: Running) -> None:
    """A list or a single read would return other bookings or fields than were booked."""
    for event_id in (1, 2):
        price = {"amount_minor": 1250, "currency": "EUR"} if event_id == 1 else None
        running.catalogue.put(event_id, price=price, name=f"Concert {event_id}")
    made = [
        (await running.reserve(event_id, user)).reservation.booking_id
        for event_id in (1, 2)
        for user in ("ada", "bob")
    ]
    call = running.bookings
    page = await call.ListBookings(bookings_pb2.ListBookingsRequest(page_size=3))
    assert [booking.id for booking in page.bookings] == made[:0:-1]
    rest = bookings_pb2.ListBookingsRequest(page_size=3, page_token=page.next_page_token)
    last = await call.ListBookings(rest)
    assert ([booking.id for booking in last.bookings], last.next_page_token) == (made[:1], "")
    of_user = await call.ListUserBookings(bookings_pb2.ListUserBookingsRequest(user_id="bob"))
    assert [booking.id for booking in of_user.bookings] == [made[3], made[1]]
    of_event = await call.ListEventBookings(bookings_pb2.ListEventBookingsRequest(event_id=2))
    assert [booking.id for booking in of_event.bookings] == [made[3], made[2]]
    request = bookings_pb2.GetBookingRequest(booking_id=made[0])
    one = (await call.GetBooking(request)).booking
    assert (one.id, one.user_id, one.event.name) == (made[0], "ada", "Concert 1")
    assert (one.price.amount_minor, one.price.currency) == (1250, "EUR")
    assert not one.HasField("cancelled_at")
    assert one.status == bookings_pb2.BOOKING_STATUS_CONFIRMED


async def test_a_token_of_another_list_is_refused(running: Running) -> None:
    """A page token of one user's list would open a page in another user's list."""
    running.catalogue.put(1)
    running.catalogue.put(2)
    for event_id in (1, 2):
        await running.reserve(event_id)
    request = bookings_pb2.ListUserBookingsRequest(user_id="ada", page_size=1)
    token = (await running.bookings.ListUserBookings(request)).next_page_token
    other = bookings_pb2.ListUserBookingsRequest(user_id="bob", page_token=token)
    refusal = await refused(running.bookings.ListUserBookings(other))
    assert refusal.reason == "INVALID_PAGE_TOKEN"


async def test_what_is_not_there_is_not_found(running: Running) -> None:
    """A missing booking or event would fail as INTERNAL."""
    booking = bookings_pb2.GetBookingRequest(booking_id=1)
    assert (await refused(running.bookings.GetBooking(booking))).reason == "BOOKING_NOT_FOUND"
    event = bookings_pb2.ListEventBookingsRequest(event_id=1)
    assert (await refused(running.bookings.ListEventBookings(event))).reason == "EVENT_NOT_FOUND"


async def test_users_are_ranked(running: Running) -> None:
    """The ranking would not be served, or a date that does not exist fail as INTERNAL."""
    running.catalogue.put(1)
    await running.reserve()
    ranked = await running.bookings.ListTopUsers(bookings_pb2.ListTopUsersRequest(period="day"))
    assert [(user.place, user.user_id, user.bookings_count) for user in ranked.users] == [
        (1, "ada", 1)
    ]
    impossible = bookings_pb2.ListTopUsersRequest(period="day", date="2023-02-29")
    refusal = await refused(running.bookings.ListTopUsers(impossible))
    assert [violation.path for violation in refusal.violations] == ["date"]


async def test_events_alone_changes_the_inventory(running: Running) -> None:
    """A caller without the services' key could change an inventory."""
    state = running.catalogue.put(1, total_seats=1)
    request = inventory_pb2.ApplyEventRequest(state=state)
    assert (await refused(running.inventory.ApplyEvent(request))).reason == "PERMISSION_DENIED"
    assert (await running.apply(state)).verdict == inventory_pb2.VERDICT_APPLIED
    await running.reserve()
    shrunk = await running.apply(running.catalogue.put(1, total_seats=0, revision=2))
    assert (shrunk.verdict, shrunk.reason) == (
        inventory_pb2.VERDICT_REFUSED,
        "CAPACITY_BELOW_BOOKED",
    )
    deleted = await running.apply(running.catalogue.put(1, revision=3, deleted=True))
    assert (deleted.verdict, deleted.cancelled_bookings) == (inventory_pb2.VERDICT_APPLIED, 1)
    assert (await running.apply(state)).verdict == inventory_pb2.VERDICT_STALE


async def test_a_status_that_is_not_known_is_closed_for_sale(running: Running) -> None:
    """A status that only a newer release knows would be on sale."""
    await running.apply(running.catalogue.put(1, status=99))
    assert (await refused(running.reserve())).reason == "EVENT_NOT_BOOKABLE"


async def test_bookings_serves_what_it_knows_without_events(database: Database) -> None:
    """While events is down, known events would not be sold, or unknown ones be called missing."""
    async with (
        serving(settings(database, "127.0.0.1:1")) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        alone = called_over(channel, FakeCatalogue())
        await alone.apply(alone.catalogue.put(1))
        assert (await alone.reserve()).reservation.event_id == 1
        assert (await refused(alone.reserve(2))).reason == "UNAVAILABLE"


async def test_every_call_that_was_accepted_is_answered_though_it_stops(database: Database) -> None:
    """Calls that wait for a lock would be dropped when the process stops."""
    async with contextlib.AsyncExitStack() as clients, catalogue_serving() as (catalogue, target):
        holder = await clients.enter_async_context(
            await psycopg.AsyncConnection.connect(database.owner_dsn)
        )
        async with serving(settings(database, target)) as port:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            await clients.enter_async_context(channel)
            stopping = called_over(channel, catalogue)
            await stopping.apply(catalogue.put(1, total_seats=30))
            await holder.execute("SELECT FROM bookings.inventory FOR UPDATE")
            asked = [
                asyncio.ensure_future(stopping.reserve(user_id=f"user-{number}"))
                for number in range(50)
            ]
            await _until_one_is_blocked(database)
            # A connection keeps the order of requests: with this response all of them have arrived.
            health: Any = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest())
            releasing = asyncio.create_task(_release_when_stopping(holder, channel))
        await releasing
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    refusals = [refusal_from_call(error) for error in errors]
    assert [refusal and refusal.reason for refusal in refusals] == ["SOLD_OUT"] * 20
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 30


async def _until_one_is_blocked(database: Database) -> None:
    watcher = await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True)
    async with watcher:
        await until_blocked(watcher, 1)


async def _release_when_stopping(
    holder: psycopg.AsyncConnection, channel: grpc.aio.Channel
) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    service = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].full_name

    async def is_stopping() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

    await until(is_stopping)
    await holder.commit()


def free_port() -> int:
    """Returns a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_process_ends_in_order_on_sigterm(database: Database) -> None:
    """A rolling update would interrupt a call in flight, or end with an error."""
    listen = f"127.0.0.1:{free_port()}"
    async with catalogue_serving() as (catalogue, target):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.bookings",
            stdout=asyncio.subprocess.DEVNULL,
            env=os.environ
            | {
                "BOOKINGS_DATABASE_URL": database.bookings_dsn,
                "BOOKINGS_LISTEN": listen,
                "BOOKINGS_EVENTS_TARGET": target,
                "BOXOFFICE_SERVICE_KEY": KEY,
                "BOXOFFICE_OPEN_ACCESS": "1",
            },
        )
        catalogue.put(1)
        try:
            await _interrupt_a_reservation(process, listen, database)
            assert await asyncio.wait_for(process.wait(), PROCESS_SECONDS) == 0
        finally:
            if process.returncode is None:
                process.kill()


async def _interrupt_a_reservation(
    process: asyncio.subprocess.Process, listen: str, database: Database
) -> None:
    """Sends SIGTERM while a reservation waits for a lock; returns after its response."""
    async with (
        grpc.aio.insecure_channel(listen) as channel,
        await psycopg.AsyncConnection.connect(database.owner_dsn) as holder,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watcher,
    ):
        stub: Any = bookings_pb2_grpc.BookingsServiceStub(channel)
        first = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
        await stub.Reserve(first, wait_for_ready=True, timeout=PROCESS_SECONDS)
        await holder.execute("SELECT FROM bookings.inventory FOR UPDATE")
        call = stub.Reserve(bookings_pb2.ReserveRequest(event_id=1, user_id="bob"), timeout=10)
        await until_blocked(watcher, 1)
        process.send_signal(signal.SIGTERM)
        await holder.commit()
        assert (await call).reservation.user_id == "bob"


async def test_an_absent_database_is_unavailable_and_comes_back(database: Database) -> None:
    """Bookings would not start without its database, or need a restart once it is back."""
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as owner:
        await owner.execute("ALTER ROLE boxoffice_bookings NOLOGIN")
        try:
            async with bookings_serving(database, is_reachable=False) as served:
                served.catalogue.put(1)
                assert (await refused(served.reserve())).reason == "UNAVAILABLE"
                await owner.execute("ALTER ROLE boxoffice_bookings LOGIN")

                async def is_back() -> bool:
                    try:
                        await served.reserve()
                    except grpc.aio.AioRpcError:
                        return False
                    return True

                await until(is_back)
        finally:
            await owner.execute("ALTER ROLE boxoffice_bookings LOGIN")
