"""`kill -9` at every step of creating, changing and following, and what is left of it."""

import asyncio
import contextlib
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from deploy.local.postgres import EmbeddedPostgres
from services.kit.rpc.errors import Refusal
from tests.conftest import Database, cloned
from tests.faults.pair import Pair
from tests.services.events.client import change_rows

SERVICES = Path(__file__).parents[2] / "services"
SEATS, BOOKED = 10, 3
KILLED = -9

Answer = tuple[str, object]


class Scene(ABC):
    """An event with some bookings, and a change that is asked for with a key, again and again."""

    expected: Answer
    revision = 2
    seats = SEATS
    live = BOOKED

    def __init__(self, pair: Pair, failpoint: str) -> None:
        self.pair = pair
        self.key = f"{failpoint}-{type(self).__name__}"
        self.armed = {"BOXOFFICE_FAILPOINTS": f"{failpoint}=kill"}
        self.event_id = 0
        self.told: set[bytes] = set()

    async def prepare(self) -> None:
        """Makes the event."""
        event = await self.pair.organizer.create(total_seats=SEATS, name=self.key)
        self.event_id = event.id
        for number in range(BOOKED):
            await self.pair.buyer.reserve(event.id, f"user-{number}")

    async def cause(self) -> Answer | None:
        """Asks as it is to go wrong; None when nobody knows what came of it."""
        return await self.ask()

    async def ask(self) -> Answer | None:
        """Asks; gives what tells one answer from another, or None for no answer."""
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
        """Asks; raises what it is refused with."""

    def effects(self) -> tuple[list[tuple[object, ...]], int]:
        """Reads what there is of the event, and how many of its bookings are live."""
        events = self.pair.read_events(
            "SELECT revision, total_seats FROM events WHERE name = %s", self.key
        )
        [(live,)] = self.pair.read_bookings(
            "SELECT count(*) FROM booking_details WHERE event_name = %s AND status = 'CONFIRMED'",
            self.key,
        )
        return events, live


class Create(Scene):
    """An event is created."""

    expected: Answer = "event", (1, SEATS)
    revision = 1
    live = 0

    async def prepare(self) -> None:
        """Leaves the stage empty."""

    async def answer(self) -> Answer:
        """See Scene."""
        event = await self.pair.organizer.create(
            total_seats=SEATS, name=self.key, request_id=self.key
        )
        return "event", (event.version, event.total_seats)


class Initialize(Create):
    """An event is created by its key."""

    expected = "created", SEATS

    async def answer(self) -> Answer:
        """See Scene."""
        response = await self.pair.organizer.initialize(self.key, SEATS, request_id=self.key)
        return "created" if response.created else "found", response.event.total_tickets


class Grow(Scene):
    """An event gets more seats, which bookings need not decide."""

    seats = 20
    expected = "event", (2, 20)

    async def answer(self) -> Answer:
        """See Scene."""
        event = await self.pair.organizer.update(
            self.event_id, total_seats=self.seats, request_id=self.key
        )
        self.told.add(event.SerializeToString(deterministic=True))
        assert len(self.told) == 1, "a key has one answer, available seats included"
        return "event", (event.version, event.total_seats)


class Shrink(Grow):
    """Seats are taken away that nobody has."""

    seats = 5
    expected = "event", (2, 5)


class RefusedShrink(Scene):
    """More seats are to be taken away than are left, so it takes two revisions."""

    expected = "refused", "CAPACITY_BELOW_BOOKED"
    revision = 3

    async def answer(self) -> Answer:
        """See Scene."""
        await self.pair.organizer.update(self.event_id, total_seats=BOOKED - 1, request_id=self.key)
        return "event", None


class Delete(Scene):
    """An event goes, with its bookings."""

    expected = "deleted", BOOKED
    live = 0

    async def answer(self) -> Answer:
        """See Scene."""
        response = await self.pair.organizer.delete(self.event_id, request_id=self.key)
        return "deleted", response.deleted_event.cancelled_bookings


class LateShrink(Shrink):
    """Bookings was down when it was asked for, so that a worker has to finish it."""

    async def cause(self) -> Answer | None:
        """Asks for it while bookings is down."""
        self.pair.bookings.kill()
        assert await self.ask() is None
        age_intents(self.pair)
        await self.pair.restart(self.pair.bookings)
        return None


class Unfollowed(Create):
    """Bookings was down so long that the feed has forgotten."""

    async def cause(self) -> Answer | None:
        """Creates while bookings is down, and forgets."""
        self.pair.bookings.kill()
        answer = await self.ask()
        change_rows(self.pair.catalogue, "DELETE FROM outbox")
        self.pair.bookings.start(**self.armed)
        return answer


class Return(Scene):
    """A booking of a full event is cancelled by its reference, and somebody waits for the seat."""

    expected: Answer = "cancelled", "user-0"
    revision = 1
    seats = BOOKED
    reference = ""

    async def prepare(self) -> None:
        """Sells the event out, and has one more ask for a ticket."""
        event = await self.pair.organizer.create(total_seats=BOOKED, name=self.key, key=self.key)
        self.event_id = event.id
        buyer = self.pair.buyer
        made = [await buyer.reserve(event.id, f"user-{number}") for number in range(BOOKED)]
        self.reference = await buyer.reference(made[0])
        assert (await buyer.book_ticket(self.key, "late")).waits

    async def answer(self) -> Answer:
        """See Scene."""
        response = await self.pair.buyer.cancel_by_reference(self.reference, self.key)
        return "cancelled", response.booking.user_id


class GiveBack(Return):
    """The same by whoever has the ticket, who hears that somebody was served."""

    expected = "cancelled", True

    async def answer(self) -> Answer:
        """See Scene."""
        response = await self.pair.buyer.cancel_ticket(self.key, "user-0", self.key)
        return response.cancelled_ticket.status, response.cancelled_ticket.promoted


DECIDED = (Shrink, RefusedShrink, Delete)
CASES: Mapping[str, tuple[type[Scene], ...]] = {
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
    "bookings.batch.locked": (Create, Grow, Delete, Return, GiveBack),
    "bookings.batch.decided": (*DECIDED, Return, GiveBack),
    "bookings.batch.committed": (Create, *DECIDED, Return, GiveBack),
    "bookings.follow.fetched": (Create, Delete),
    "bookings.follow.applied": (Create, RefusedShrink),
    "bookings.follow.committed": (Create, RefusedShrink),
    "bookings.follow.listed": (Unfollowed,),
    "bookings.follow.buried": (Unfollowed,),
}


def in_the_source() -> set[str]:
    """Finds the names of all failpoints."""
    sources = (path.read_text(encoding="utf-8") for path in SERVICES.rglob("*.py"))
    return {name for text in sources for name in re.findall(r'failpoint\("([^"]+)"\)', text)}


def age_intents(pair: Pair) -> None:
    """Makes pending changes as old as they become before a worker tries them again."""
    change_rows(pair.catalogue, "UPDATE intents SET attempted_at = attempted_at - interval '2 s'")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pairs(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[Pair]]:
    """Gives as many pairs as there are scenes of a failpoint: they are played side by side."""
    async with contextlib.AsyncExitStack() as stack:
        running = []
        for _ in range(max(map(len, CASES.values()))):
            database = stack.enter_context(cloned(postgres))
            pair = Pair(database, tmp_path_factory.mktemp("pair"))
            running.append(await stack.enter_async_context(pair))
        yield running


@pytest.mark.parametrize("name", CASES)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_death_leaves_nothing_half_done(pairs: list[Pair], name: str) -> None:
    """Both sides agree soon, what was answered holds, and the same key hears it again."""
    async with asyncio.TaskGroup() as group:
        for pair, make in zip(pairs, CASES[name], strict=False):
            group.create_task(play(make(pair, name)))


async def play(scene: Scene) -> None:
    """Has a service die in the middle of a scene, and looks at what is left."""
    pair = scene.pair
    await scene.prepare()
    await pair.agree()  # so that what is followed is this scene's change alone
    victim = pair.events if scene.key.startswith("events.") else pair.bookings
    await pair.restart(victim, **scene.armed)
    heard = await scene.cause()
    assert await asyncio.to_thread(victim.ended) == KILLED, scene.key
    age_intents(pair)
    victim.start()
    await pair.meet()
    age_intents(pair)  # again: events has tried in vain while bookings was away
    await pair.agree()
    assert heard in {None, scene.expected}, scene.key
    assert [await scene.ask(), await scene.ask()] == [scene.expected] * 2, scene.key
    await pair.agree()
    assert scene.effects() == ([(scene.revision, scene.seats)], scene.live), scene.key


@pytest.mark.parametrize("service", ["events", "bookings"])
def test_failpoints_are_refused_in_production(
    database: Database, tmp_path: Path, service: str
) -> None:
    """The process does not start, and says why."""
    pair = Pair(database, tmp_path)
    process = getattr(pair, service)
    process.start(
        BOXOFFICE_FAILPOINTS="events.create.written=kill",
        BOXOFFICE_ENV="production",
        BOXOFFICE_SERVICE_KEY="k" * 32,
    )
    assert process.ended() == 2
    assert "BOXOFFICE_FAILPOINTS is for tests, not for production" in process.log()


def test_every_failpoint_has_a_case() -> None:
    """Whoever adds a step to the protocol has to show what its death does."""
    assert in_the_source() == set(CASES)
