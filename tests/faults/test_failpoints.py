"""`kill -9` at every step of creating, changing and following, and the state that it leaves."""

import asyncio
import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from boxoffice.bookings.v1 import seats_pb2
from deploy.local.postgres.server import EmbeddedPostgres
from services.kit.rpc.errors import Refusal
from services.kit.rpc.timestamps import timestamp
from tests.conftest import Database, cloned
from tests.faults.test_payment_failpoints import PAYMENT_FAILPOINTS
from tests.faults.two_services import TwoServices
from tests.services.bookings.rooms import hall
from tests.services.events.cinema import EVENING, LATE, add_cinema, draw
from tests.services.events.client import change_rows

SERVICES = Path(__file__).parents[2] / "services"
SEATS, BOOKED = 10, 3
KILLED = -9

Answer = tuple[str, object]


class Scenario(ABC):
    """An event with some bookings, and a change that is requested with one idempotency key."""

    expected: Answer
    revision = 2
    seats = SEATS
    live = BOOKED

    def __init__(self, services: TwoServices, failpoint: str) -> None:
        self.services = services
        self.key = f"{failpoint}-{type(self).__name__}"
        self.armed = {"BOXOFFICE_FAILPOINTS": f"{failpoint}=kill"}
        self.event_id = 0
        self.responses: set[bytes] = set()

    async def prepare(self) -> None:
        """Creates the event."""
        event = await self.services.organizer.create(total_seats=SEATS, name=self.key)
        self.event_id = event.id
        for number in range(BOOKED):
            await self.services.buyer.reserve(event.id, f"user-{number}")

    async def cause(self) -> Answer | None:
        """Sends the request that a crash interrupts; None when its outcome is unknown."""
        return await self.ask()

    async def ask(self) -> Answer | None:
        """Sends the request; returns a summary of the response, or None without a response."""
        try:
            return await self.answer()
        except Refusal as refusal:
            if refusal.reason in {"OUTCOME_UNKNOWN", "UNAVAILABLE", "CHANGE_PENDING"}:
                return None
            return "refused", refusal.reason
        except grpc.aio.AioRpcError:
            return None

    @abstractmethod
    async def answer(self) -> Answer:
        """Sends the request; raises its refusal."""

    def effects(self) -> tuple[list[tuple[object, ...]], int]:
        """Returns the revisions and seats of the event, and the number of its live bookings."""
        events = self.services.read_events(
            "SELECT revision, total_seats FROM events WHERE name = %s", self.key
        )
        [(live,)] = self.services.read_bookings(
            "SELECT count(*) FROM booking_details WHERE event_name = %s AND status = 'CONFIRMED'",
            self.key,
        )
        return events, live


class Create(Scenario):
    """An event is created."""

    expected: Answer = "event", (1, SEATS)
    revision = 1
    live = 0

    async def prepare(self) -> None:
        """Does nothing: the scenario creates the event."""

    async def answer(self) -> Answer:
        """See Scenario."""
        event = await self.services.organizer.create(
            total_seats=SEATS, name=self.key, request_id=self.key
        )
        return "event", (event.version, event.total_seats)


class Initialize(Create):
    """An event is created by its key."""

    expected = "created", SEATS

    async def answer(self) -> Answer:
        """See Scenario."""
        response = await self.services.organizer.initialize(self.key, SEATS, request_id=self.key)
        return "created" if response.created else "found", response.event.total_tickets


class Grow(Scenario):
    """An event gets more seats, for which bookings is not asked."""

    seats = 20
    expected = "event", (2, 20)

    async def answer(self) -> Answer:
        """See Scenario."""
        event = await self.services.organizer.update(
            self.event_id, total_seats=self.seats, request_id=self.key
        )
        self.responses.add(event.SerializeToString(deterministic=True))
        assert len(self.responses) == 1, "a key has one response, available seats included"
        return "event", (event.version, event.total_seats)


class Shrink(Grow):
    """Free seats are taken away."""

    seats = 5
    expected = "event", (2, 5)


class RefusedShrink(Scenario):
    """More seats are to be taken away than are free, so the refusal takes a second revision."""

    expected = "refused", "CAPACITY_BELOW_BOOKED"
    revision = 3

    async def answer(self) -> Answer:
        """See Scenario."""
        await self.services.organizer.update(
            self.event_id, total_seats=BOOKED - 1, request_id=self.key
        )
        return "event", None


class Delete(Scenario):
    """An event is deleted, with its bookings."""

    expected = "deleted", BOOKED
    live = 0

    async def answer(self) -> Answer:
        """See Scenario."""
        response = await self.services.organizer.delete(self.event_id, request_id=self.key)
        return "deleted", response.deleted_event.cancelled_bookings


class LateShrink(Shrink):
    """Bookings is down at the request, so a worker has to finish the change."""

    async def cause(self) -> Answer | None:
        """Sends the request while bookings is down."""
        self.services.bookings.kill()
        assert await self.ask() is None
        age_intents(self.services)
        await self.services.restart(self.services.bookings)
        return None


class Unfollowed(Create):
    """Bookings was down for longer than the feed is kept."""

    async def cause(self) -> Answer | None:
        """Creates the event while bookings is down, and empties the feed."""
        self.services.bookings.kill()
        answer = await self.ask()
        change_rows(self.services.catalogue, "DELETE FROM outbox")
        self.services.bookings.start(**self.armed)
        return answer


class Return(Scenario):
    """A booking of a full event is cancelled by its reference while a user waits for the seat."""

    expected: Answer = "cancelled", "user-0"
    revision = 1
    seats = BOOKED
    reference = ""

    async def prepare(self) -> None:
        """Sells the event out and puts one user on the waiting list."""
        event = await self.services.organizer.create(
            total_seats=BOOKED, name=self.key, key=self.key
        )
        self.event_id = event.id
        buyer = self.services.buyer
        made = [await buyer.reserve(event.id, f"user-{number}") for number in range(BOOKED)]
        self.reference = await buyer.reference(made[0])
        assert (await buyer.book(self.key, "late")).waits

    async def answer(self) -> Answer:
        """See Scenario."""
        response = await self.services.buyer.cancel_by_reference(self.reference, self.key)
        return "cancelled", response.booking.user_id


class Withdraw(Return):
    """The holder gives the seat back, and the response says that somebody was promoted."""

    expected = "cancelled", True

    async def answer(self) -> Answer:
        """See Scenario."""
        response = await self.services.buyer.cancel_by_key(self.key, "user-0", self.key)
        return response.result.status, response.result.promoted


class Hold(Scenario):
    """Two seats of a screening are held."""

    expected: Answer = "held", (1, 2)
    revision = 1
    seats = 40
    live = 2

    async def prepare(self) -> None:
        """Creates an event in a room."""
        database = self.services.catalogue
        room_id = add_cinema(database).small
        draw(database, room_id, hall(rows=4, seats=10))
        event = await self.services.organizer.create(
            name=self.key,
            total_seats=self.seats,
            room_id=room_id,
            starts_at=timestamp(EVENING),
            ends_at=timestamp(LATE),
        )
        self.event_id = event.id

    async def answer(self) -> Answer:
        """See Scenario."""
        reservation = await self.services.buyer.hold(self.event_id, "ada", [1, 2], self.key)
        status = seats_pb2.SeatReservationStatus.Name(reservation.status)
        return status.rpartition("_")[2].lower(), tuple(reservation.seat_ids)

    def effects(self) -> tuple[list[tuple[object, ...]], int]:
        """Returns the revisions and seats of the event, and the number of its held seats."""
        events, _ = super().effects()
        [counts] = self.services.read_bookings(
            """
            SELECT
                held,
                (SELECT count(*) FROM seat_claims AS claim WHERE claim.event_id = stock.event_id),
                (SELECT sum(taken_count) FROM seat_blocks AS b WHERE b.event_id = stock.event_id)
            FROM inventory AS stock
            WHERE event_id = %s
            """,
            self.event_id,
        )
        held, claims, taken = counts
        assert held == claims == taken, "the map, the claims and the counters differ"
        return events, held


DECIDED = (Shrink, RefusedShrink, Delete)
CASES: Mapping[str, tuple[type[Scenario], ...]] = {
    "events.create.written": (Create, Initialize),
    "events.create.committed": (Create, Initialize),
    "events.create.pushed": (Create, Initialize),
    "events.change.written": (Grow, *DECIDED),
    "events.change.committed": (Grow, *DECIDED),
    "events.change.pushed": (Grow,),
    "events.change.counted": (Grow,),
    "events.change.leased": (LateShrink,),
    "events.change.decided": DECIDED,
    "events.change.taken": (Shrink, Delete),
    "events.change.concluded": DECIDED,
    "events.change.finished": (Shrink, Delete),
    "bookings.batch.locked": (Create, Grow, Delete, Return, Withdraw, Hold),
    "bookings.batch.decided": (*DECIDED, Return, Withdraw, Hold),
    "bookings.batch.committed": (Create, *DECIDED, Return, Withdraw, Hold),
    "bookings.follow.fetched": (Create, Delete),
    "bookings.follow.applied": (Create, RefusedShrink),
    "bookings.follow.committed": (Create, RefusedShrink),
    "bookings.follow.listed": (Unfollowed,),
    "bookings.follow.buried": (Unfollowed,),
}


def in_the_source() -> set[str]:
    """Returns the names of all failpoints in the source."""
    sources = (path.read_text(encoding="utf-8") for path in SERVICES.rglob("*.py"))
    return {name for text in sources for name in re.findall(r'failpoint\("([^"]+)"\)', text)}


def age_intents(services: TwoServices) -> None:
    """Makes pending changes old enough for a worker to retry them."""
    change_rows(
        services.catalogue, "UPDATE intents SET attempted_at = attempted_at - interval '2 s'"
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[TwoServices]]:
    """Runs as many services as a failpoint has scenarios, which run side by side."""
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for _ in range(max(map(len, CASES.values()))):
            database = stack.enter_context(cloned(postgres))
            services = TwoServices(database, tmp_path_factory.mktemp("services"))
            running.append(await stack.enter_async_context(services))
        yield running


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_crash_leaves_nothing_half_done(running: list[TwoServices], name: str) -> None:
    """A crash could leave the sides different, undo what was answered, or apply a key twice."""
    async with asyncio.TaskGroup() as group:
        for services, make in zip(running, CASES[name], strict=False):
            group.create_task(run_scenario(make(services, name)))


async def run_scenario(scenario: Scenario) -> None:
    """Kills a service in the middle of a scenario, and checks the state that it leaves."""
    services = scenario.services
    await scenario.prepare()
    await services.wait_until_consistent()  # so that only this scenario's change is followed
    victim = services.events if scenario.key.startswith("events.") else services.bookings
    await services.restart(victim, **scenario.armed)
    response = await scenario.cause()
    assert await asyncio.to_thread(victim.ended) == KILLED, scenario.key
    age_intents(services)
    victim.start()
    await services.wait_until_connected()
    age_intents(services)  # again: the attempts of events failed while bookings was down
    await services.wait_until_consistent()
    assert response in {None, scenario.expected}, scenario.key
    assert [await scenario.ask(), await scenario.ask()] == [scenario.expected] * 2, scenario.key
    await services.wait_until_consistent()
    assert scenario.effects() == ([(scenario.revision, scenario.seats)], scenario.live), (
        scenario.key
    )


@pytest.mark.parametrize("service", ["events", "bookings"])
def test_failpoints_are_refused_in_production(
    database: Database, tmp_path: Path, service: str
) -> None:
    """A failpoint that is set in production could kill a service at a customer's request."""
    services = TwoServices(database, tmp_path)
    process = getattr(services, service)
    process.start(
        BOXOFFICE_FAILPOINTS="events.create.written=kill",
        BOXOFFICE_ENV="production",
        BOXOFFICE_SERVICE_KEY="k" * 32,
    )
    assert process.ended() == 2
    assert "BOXOFFICE_FAILPOINTS is for tests, not for production" in process.log()


def test_every_failpoint_has_a_case() -> None:
    """A step could be added to the protocol without a test of a crash there."""
    assert in_the_source() == {*CASES, *PAYMENT_FAILPOINTS}
