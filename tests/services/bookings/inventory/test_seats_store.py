"""Assigned seats in the real tables: ended holds, large rooms, plans, closing, tampered rows."""

import asyncio
from dataclasses import replace

import psycopg
import pytest

from services.bookings.errors import SeatsUnavailable
from services.bookings.inventory import Inventory, needs
from services.bookings.inventory.commands import (
    Apply,
    Book,
    Freeze,
    Reserve,
    SetSkipFit,
    Waiting,
)
from services.bookings.inventory.plans import NoPlans
from services.bookings.inventory.seat_commands import BlockSeats, IssueTicket, Release, Seated
from services.bookings.seating.plan import Plan
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Internal, Unavailable
from tests.conftest import Database
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import clock_forward, drift
from tests.services.bookings.inventory.screening import (
    as_owner,
    ask,
    given_twice,
    held,
    hold,
    plans_of,
    room,
    screening,
)

HALL = room(rows=10, seats=60)
LARGE = room(rows=30, seats=100, plan_id=2)


@pytest.fixture
def inventory(pool: Pool) -> Inventory:
    """Returns an inventory that has the plans of two rooms."""
    return Inventory(pool, plans=plans_of(HALL, LARGE), closing_chunk=7)


class SlowPlans:
    """Plans whose loading waits until a test allows it; records the ids it was asked for."""

    def __init__(self, plan: Plan) -> None:
        self.asked: list[int] = []
        self.is_asked = asyncio.Event()
        self.may_load = asyncio.Event()
        self._plan = plan

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns the plan once it is loaded."""
        return self._plan if self.may_load.is_set() and plan_id == self._plan.id else None

    async def load(self, plan_id: int) -> None:
        """Waits until the plan may be loaded."""
        self.asked.append(plan_id)
        self.is_asked.set()
        await self.may_load.wait()


async def test_a_seat_is_free_the_moment_its_hold_ends(
    inventory: Inventory, database: Database
) -> None:
    """A free seat would be refused until the sweeper has run."""
    await ask(inventory, Apply(screening(HALL)), hold("ada", 1, 2))
    [refused] = await ask(inventory, hold("bob", 2, 3))
    assert isinstance(refused, SeatsUnavailable)
    clock_forward(database, seconds=600)
    [taken] = await ask(inventory, hold("bob", 2, 3))
    assert held(taken) == (2, 3)
    assert drift(database) == []


async def test_a_thousand_holds_that_end_at_once_hold_nobody_up(
    inventory: Inventory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expiring many holds at once would block a transaction, or refuse seats that are free."""
    monkeypatch.setattr(needs, "MAX_EXPIRED", 20)
    wanted = [hold(f"user-{seat_id}", seat_id) for seat_id in range(1, 601)]
    await ask(inventory, Apply(screening(HALL)), *wanted)
    clock_forward(database, seconds=600)
    [in_the_way] = await ask(inventory, hold("ada", 300, 301))
    assert held(in_the_way) == (300, 301)
    assert 500 < _held_seats(database) < 600
    [party] = await ask(inventory, Reserve(1, "bob", 100, viewer=GUEST))
    assert not isinstance(party, Exception)
    [booked] = await ask(inventory, Book(1, "cy", 498, GUEST))
    assert not isinstance(booked, Waiting)
    assert _held_seats(database) == 2
    assert drift(database) == []


async def test_a_sweep_ends_all_holds_that_have_ended(
    inventory: Inventory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the seats of a large room would be served for minutes, a part each second."""
    monkeypatch.setattr(needs, "MAX_EXPIRED", 20)
    wanted = [hold(f"user-{seat_id}", seat_id) for seat_id in range(1, 101)]
    await ask(inventory, Apply(screening(HALL)), *wanted)
    clock_forward(database, seconds=600)
    await inventory.sweep()
    assert _held_seats(database) == 0
    assert drift(database) == []


async def test_holds_of_many_events_that_end_at_once_hold_nobody_up(
    inventory: Inventory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep of fifty events would take longer than a transaction may, and fail every second."""
    monkeypatch.setattr(needs, "MAX_EXPIRED", 20)
    wanted = [hold(f"user-{n}", n, event_id=event) for n in range(1, 31) for event in (1, 2)]
    await ask(inventory, *(Apply(screening(HALL, number)) for number in (1, 2)), *wanted)
    clock_forward(database, seconds=600)
    await ask(inventory, SetSkipFit(1, None), SetSkipFit(2, None))
    assert _held_seats(database) == 40
    await inventory.sweep()
    assert _held_seats(database) == 0


def _held_seats(database: Database) -> int:
    with psycopg.connect(database.owner_dsn) as connection:
        [(held,)] = connection.execute("SELECT sum(held) FROM bookings.inventory").fetchall()
    return int(held)


async def test_seats_that_are_taken_are_refused_without_the_lock(
    inventory: Inventory, database: Database
) -> None:
    """All who want the best pair of a rush would queue for what somebody has already."""
    await ask(inventory, Apply(screening(HALL)), hold("ada", 1, 2), hold("bob", 1, 2))
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        outcomes = await ask(inventory, *(hold(f"user-{n}", 1, 2) for n in range(20)))
    assert {type(outcome) for outcome in outcomes} == {SeatsUnavailable}
    clock_forward(database, seconds=600)
    [taken] = await ask(inventory, hold("cy", 1, 2))
    assert held(taken) == (1, 2)


async def test_seats_of_a_large_room_are_kept_block_by_block(
    inventory: Inventory, database: Database
) -> None:
    """A seat beyond the first block would be stored as a seat of the first."""
    seat_ids = (1_024, 1_025, 2_048, 2_049, 3_000)
    await ask(inventory, Apply(screening(LARGE)), hold("ada", *seat_ids))
    [refused] = await ask(inventory, hold("bob", *seat_ids, suggests_alternatives=False))
    assert isinstance(refused, SeatsUnavailable)
    assert set(refused.shortage.reasons) == set(seat_ids)
    [others] = await ask(inventory, hold("bob", 1, 1_023, 1_026, 2_047, 2_999))
    assert held(others) == (1, 1_023, 1_026, 2_047, 2_999)
    await ask(inventory, BlockSeats(1, (2, 3_000 - 2)))
    assert drift(database) == []


async def test_a_plan_that_is_not_in_memory_is_loaded_outside_any_transaction(
    pool: Pool, database: Database
) -> None:
    """Loading a plan would hold locks, so all other bookings of the process would wait."""
    plans = SlowPlans(HALL)
    inventory = Inventory(pool, plans=plans)
    applied = asyncio.create_task(ask(inventory, Apply(screening(HALL))))
    [refused] = await ask(inventory, Apply(replace(screening(HALL, 2), plan_id=None)))
    assert not isinstance(refused, Exception)
    await plans.is_asked.wait()
    assert not applied.done()
    plans.may_load.set()
    await applied
    [taken] = await ask(inventory, hold("ada", 1))
    assert held(taken) == (1,)
    assert plans.asked == [HALL.id]
    assert drift(database) == []


async def test_a_plan_that_cannot_be_had_spoils_no_other_ask(
    pool: Pool, inventory: Inventory
) -> None:
    """A missing plan would fail the whole batch while events is down."""
    await ask(inventory, Apply(screening(HALL)), Apply(screening(HALL, 2, plan_id=None)))
    lost, booked = await ask(
        Inventory(pool, plans=NoPlans()), hold("ada", 1), Reserve(2, "ada", viewer=GUEST)
    )
    assert isinstance(lost, Unavailable)
    assert not isinstance(booked, Exception)
    [frozen] = await ask(Inventory(pool), Freeze(1, "COUNTERS"))
    assert not isinstance(frozen, Exception)


async def test_closing_a_screening_forgets_who_had_its_seats(
    inventory: Inventory, database: Database
) -> None:
    """Claims of closed screenings would stay for ever, or a large one be cleared at once."""
    await ask(
        inventory,
        Apply(screening(HALL)),
        *(hold(f"user-{first}", first, first + 1) for first in range(1, 40, 2)),
        BlockSeats(1, (59, 60)),
        Apply(screening(HALL, rev=2, status="CANCELLED")),
    )
    chunks = 0
    while await inventory.close_chunk():
        chunks += 1
    assert chunks > 5
    with psycopg.connect(database.owner_dsn) as connection:
        for table in ("seat_claims", "seat_blocks"):
            assert connection.execute(f"SELECT FROM bookings.{table}").fetchall() == []
    assert drift(database) == []


@pytest.mark.parametrize(
    "falsified",
    [
        "UPDATE seat_claims SET booking_id = NULL WHERE seat_id = 1",
        "UPDATE seat_claims SET booking_id = 999 WHERE seat_id = 1",
        "INSERT INTO seat_claims VALUES (1, 3, 999)",
        "DELETE FROM seat_blocks",
    ],
)
async def test_seats_that_were_falsified_are_given_to_nobody(
    inventory: Inventory, database: Database, falsified: str
) -> None:
    """A seat would get a second holder after somebody tampered with the tables."""
    _, first = await ask(inventory, Apply(screening(HALL)), hold("ada", 1, 2))
    assert isinstance(first, Seated)
    as_owner(database, falsified)
    outcomes = [
        *(await ask(inventory, hold("bob", 1))),
        *(await ask(inventory, hold("cy", 3))),
        *(await ask(inventory, Release(1, first.booking.id))),
        *(await ask(inventory, IssueTicket(1, first.booking.id))),
    ]
    assert any(isinstance(outcome, Internal) for outcome in outcomes)
    assert given_twice(database) == []


async def test_falsified_seats_spoil_no_refusals_of_other_events(
    inventory: Inventory, database: Database
) -> None:
    """All who are refused without the lock would fail because of one event."""
    await ask(inventory, Apply(screening(HALL)), Apply(screening(HALL, 2)))
    wanted = hold("bob", 1), hold("bob", 1, event_id=2)
    await ask(inventory, hold("ada", 1), hold("ada", 1, event_id=2), *wanted)
    as_owner(database, "UPDATE seat_claims SET booking_id = NULL WHERE event_id = 1")
    falsified, sound = await ask(inventory, *wanted)
    assert isinstance(falsified, Internal)
    assert isinstance(sound, SeatsUnavailable)
