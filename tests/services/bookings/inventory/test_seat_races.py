"""Parallel requests for the same seats at several replicas of bookings."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from services.bookings.inventory import Ask, EventState, Inventory, store
from services.bookings.inventory.commands import Apply, Cancel, Command, Outcome
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    Release,
    Seated,
)
from services.bookings.inventory.store import Loaded
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import RoundTrip, Statement
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.bookings.conftest import (
    drift,
    mend_the_lock,
    take_out_the_lock,
    take_out_the_second_line,
)
from tests.services.bookings.inventory.screening import (
    as_owner,
    ask,
    given_twice,
    hold,
    plans_of,
    room,
    screening,
)

REPLICAS = 4
ROUNDS = 20
CALLERS = 60
DROP_AGREEMENT = "ALTER TABLE seat_blocks DROP CONSTRAINT seat_blocks_agree"
HALL = room(rows=10, seats=20)
OTHER_HALL = room(rows=3, seats=6, plan_id=2)


@pytest.fixture
def replicas(pool: Pool) -> list[Inventory]:
    """Returns inventories that share nothing but the database."""
    return _replicas(pool)


def _replicas(pool: Pool) -> list[Inventory]:
    return [Inventory(pool, plans=plans_of(HALL, OTHER_HALL)) for _ in range(REPLICAS)]


async def rush(replicas: Sequence[Inventory], commands: Sequence[Command]) -> list[Outcome]:
    """Sends each command as a call of its own, all at once, spread over the replicas."""
    asked = (replicas[turn % len(replicas)].decide([Ask(c)]) for turn, c in enumerate(commands))
    return [outcome for [outcome] in await asyncio.gather(*asked)]


def counts(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Counts outcomes by reason or type."""
    return Counter(
        each.reason if isinstance(each, Refusal) else type(each).__name__ for each in outcomes
    )


async def test_200_callers_of_one_pair_have_one_winner(
    replicas: list[Inventory], database: Database
) -> None:
    """Two callers would hold the same pair of seats, or one seat of it each."""
    await ask(replicas[0], Apply(screening(HALL)))
    outcomes = await rush(replicas, [hold(f"user-{n}", 7, 8) for n in range(200)])
    assert counts(outcomes) == {"Seated": 1, "SEATS_UNAVAILABLE": 199}
    assert drift(database) == []


async def test_random_pairs_are_given_once_each(
    replicas: list[Inventory], database: Database
) -> None:
    """Of 200 seats that 200 buyers want in pairs, some would have two holders."""
    await ask(replicas[0], Apply(screening(HALL)))
    random = Random(3)
    firsts = [random.randint(1, HALL.seat_count - 1) for _ in range(200)]
    outcomes = await rush(replicas, [hold(f"user-{n}", s, s + 1) for n, s in enumerate(firsts)])
    given = [s for each in outcomes if isinstance(each, Seated) for s in each.booking.seat_ids]
    assert len(given) == len(set(given)) > 50
    assert set(counts(outcomes)) == {"Seated", "SEATS_UNAVAILABLE"}
    assert drift(database) == []


async def test_pairs_that_overlap_in_a_ring_do_not_deadlock(
    replicas: list[Inventory], database: Database
) -> None:
    """Holds of (A, B), (B, C) and (C, A) would deadlock, or all fail."""
    await ask(replicas[0], Apply(screening(HALL)))
    ring = [(1, 30), (30, 60), (60, 1)]
    outcomes = await rush(replicas, [hold(f"user-{n}", *ring[n % 3]) for n in range(CALLERS)])
    assert counts(outcomes) == {"Seated": 1, "SEATS_UNAVAILABLE": CALLERS - 1}
    assert drift(database) == []


async def test_without_the_lock_the_map_still_keeps_seats_apart(
    database: Database, pool: Pool
) -> None:
    """Without the lock, a batch would save a seat that another batch has taken meanwhile."""
    await _rush_without_the_lock(database, pool)
    assert given_twice(database) == []


async def test_without_lock_and_constraint_seats_are_given_twice(
    database: Database, pool: Pool
) -> None:
    """Negative control: the tests above would pass without the lock and the constraint."""
    as_owner(database, DROP_AGREEMENT)
    await _rush_without_the_lock(database, pool)
    assert given_twice(database) != []


async def _rush_without_the_lock(database: Database, pool: Pool) -> None:
    """Sends holds for seats of several screenings until a seat is given twice."""
    take_out_the_lock(database)
    try:
        replicas = _replicas(pool)
        for event_id in range(1, ROUNDS + 1):
            await ask(replicas[0], Apply(screening(HALL, event_id)))
            wanted = [hold(f"user-{n}", 7, 8, event_id=event_id) for n in range(CALLERS)]
            await rush(replicas, wanted)
            if given_twice(database):
                return
    finally:
        mend_the_lock()


async def _hold_with_early_maps(
    database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch, *holds: Hold
) -> list[Outcome]:
    """Decides two holds at once by maps that were loaded before the lock, with no constraint."""
    load, both_have_loaded = store.load, asyncio.Barrier(2)

    async def load_early(
        trip: RoundTrip, commands: Sequence[Command], *, lock: Statement
    ) -> Loaded:
        early = await load(trip, commands, lock=store.NO_LOCK)
        await both_have_loaded.wait()
        late = RoundTrip(trip.connection)
        late.command(b"BEGIN")
        return replace(await load(late, commands, lock=store.WAIT), stocks=early.stocks)

    one, other, *_ = _replicas(pool)
    await ask(one, Apply(screening(HALL)))
    take_out_the_second_line(database)
    as_owner(database, DROP_AGREEMENT)
    monkeypatch.setattr(store, "load", load_early)
    return await rush([one, other], holds)


async def test_a_map_that_is_loaded_before_the_lock_gives_seats_twice(
    database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the tests above would pass if maps were loaded before the lock."""
    holds = hold("ada", 7, 8), hold("bob", 8, 9)
    outcomes = await _hold_with_early_maps(database, pool, monkeypatch, *holds)
    assert counts(outcomes) == {"Seated": 2}
    assert given_twice(database) == [8]


async def test_claims_alone_lose_bits_of_the_map(
    database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: claims of different seats agree, and one map is written over the other."""
    holds = hold("ada", 7, 8), hold("bob", 9, 10)
    outcomes = await _hold_with_early_maps(database, pool, monkeypatch, *holds)
    assert counts(outcomes) == {"Seated": 2}
    assert given_twice(database) == []
    assert as_owner(database, "SELECT count(booking_id) FROM seat_claims") == [(4,)]
    assert as_owner(database, "SELECT bit_count(taken) FROM seat_blocks") == [(2,)]


async def test_a_released_seat_goes_to_one_of_those_who_want_it(
    replicas: list[Inventory], database: Database
) -> None:
    """A seat that is freed twice, or taken before it is free, would be in two bookings."""
    await ask(replicas[0], Apply(screening(HALL)))
    [outcome] = await ask(replicas[0], hold("first", 7, 8))
    for turn in range(5):
        assert isinstance(outcome, Seated)
        freed: list[Command] = [Release(1, outcome.booking.id), Cancel(1, outcome.booking.id)]
        wanted: list[Command] = [hold(f"user-{turn}-{n}", 7, 8) for n in range(CALLERS)]
        outcomes = await rush(replicas, [*wanted[::2], *freed, *wanted[1::2]])
        taken = [each for each in outcomes if isinstance(each, Seated)]
        assert len(taken) <= 1
        outcome = taken[0] if taken else (await ask(replicas[0], hold(f"late-{turn}", 7, 8)))[0]
        assert drift(database) == []


async def test_blocking_and_confirming_race_with_holds(
    replicas: list[Inventory], database: Database
) -> None:
    """A seat would be blocked and held, or confirmed for one user and held by another."""
    await ask(replicas[0], Apply(screening(HALL)))
    [first] = await ask(replicas[0], hold("first", 3, 4))
    assert isinstance(first, Seated)
    wanted: list[Command] = [hold(f"user-{n}", n % 6 + 1, n % 6 + 2) for n in range(CALLERS)]
    blocks: list[Command] = [BlockSeats(1, (n + 1, n + 2)) for n in range(6)]
    outcomes = await rush(
        replicas, [*blocks[:3], *wanted, IssueTicket(1, first.booking.id), *blocks]
    )
    assert counts(outcomes)["Seated"] >= 2
    assert given_twice(database) == []
    assert drift(database) == []


@pytest.mark.parametrize(
    "change",
    [
        screening(OTHER_HALL, rev=2),
        screening(HALL, rev=2, status="CANCELLED"),
    ],
)
async def test_another_room_or_the_end_of_a_screening_races_with_holds(
    replicas: list[Inventory], database: Database, change: EventState
) -> None:
    """A hold would have seats of a room that is not in force, or of a closed screening."""
    await ask(replicas[0], Apply(screening(HALL)))
    wanted: list[Command] = [hold(f"user-{n}", n + 1, n + 2) for n in range(CALLERS)]
    await rush(replicas, [*wanted[:2], Apply(change), *wanted[2:]])
    assert given_twice(database) == []
    assert drift(database) == []
    while await replicas[0].close_chunk():
        pass
    assert drift(database) == []
