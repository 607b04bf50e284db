"""Compares rankings with a count of all bookings, at any state of the roll-up."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.bookings.inventory import EventState, Inventory
from services.bookings.inventory.commands import Booked
from services.bookings.rankings.rankings import MOST, Rankings, first_day
from services.bookings.reservations.cancellations import Cancellations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.asking import seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.rankings.conftest import RANKINGS

PERIODS = ("", "day", "week", "month")
DAYS = [date(2024, 2, 28) + timedelta(days=number) for number in range(6)]
"""Days around the turn of a month, with a Sunday and a Monday (3 and 4 March)."""
EVENTS = 3
Step = tuple[Any, ...]
Ranking = list[tuple[int, str, int]]


@dataclass
class Made:
    """A booking that was made, and whether it is live."""

    id: int
    event_id: int
    user_id: str
    day: date
    is_live: bool = True


steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("book"),
            st.integers(1, EVENTS),
            st.lists(st.integers(0, 13), min_size=1, max_size=8),
            st.sampled_from(DAYS),
        ),
        st.tuples(st.just("cancel"), st.integers(0, 99)),
        st.tuples(st.just("delete"), st.integers(1, EVENTS)),
        st.tuples(st.just("close")),
        st.tuples(st.just("roll up")),
    ),
    min_size=1,
    max_size=14,
)


@pytest.mark.parametrize("kind", RANKINGS)
def test_rankings_are_those_of_all_live_bookings(database: Database, kind: type[Rankings]) -> None:
    """Some order of booking, cancelling, closing and rolling up would give wrong ranks."""
    with asyncio.Runner() as runner:
        pool = patient_pool(database.bookings_dsn, schema="bookings", size=2)
        runner.run(pool.open())

        @settings(
            max_examples=20,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(drawn=steps)
        def check(drawn: list[Step]) -> None:
            runner.run(_compare(pool, kind, database.owner_dsn, drawn))

        check()
        runner.run(pool.close())


async def _compare(pool: Pool, kind: type[Rankings], owner_dsn: str, drawn: list[Step]) -> None:
    with psycopg.connect(owner_dsn, options="-c search_path=bookings", autocommit=True) as owner:
        owner.execute(
            "TRUNCATE inventory, bookings, ledger, progress, tallies, ranks, tallied_events"
        )
        for event_id in range(1, EVENTS + 1):
            several = concert(event_id, one_booking_per_user=False)
            await Inventory(pool).apply(several)
        made: list[Made] = []
        for step in drawn:
            rankings = kind(pool, roll_up_chunk=3)
            await _do(pool, rankings, owner, made, step)
            for period in PERIODS:
                for day in DAYS[::2]:
                    assert await _listed(rankings, period, day) == _expected(made, period, day)


async def _do(
    pool: Pool, rankings: Rankings, owner: psycopg.Connection, made: list[Made], step: Step
) -> None:
    match step:
        case "book", event_id, users, day:
            made += await _booked(pool, owner, event_id, [f"user-{n:02}" for n in users], day)
        case "cancel", number:
            if live := [booking for booking in made if booking.is_live]:
                booking = live[number % len(live)]
                await Cancellations(pool, Inventory(pool)).cancel(booking.id)
                booking.is_live = False
        case "delete", event_id:
            state: EventState = concert(event_id, rev=2, deleted=True, one_booking_per_user=False)
            await Inventory(pool).apply(state)
            for booking in made:
                booking.is_live = booking.is_live and booking.event_id != event_id
        case ("close",):
            await Inventory(pool, closing_chunk=2).close_chunk()
        case ("roll up",):
            await rankings.roll_up()


async def _booked(
    pool: Pool, owner: psycopg.Connection, event_id: int, users: list[str], day: date
) -> list[Made]:
    """Books, and sets the day of the rows afterwards; books nothing of a deleted event."""
    asks = [seat(event_id, user) for user in users]
    outcomes = await Inventory(pool).decide(asks)
    booked = [outcome.booking for outcome in outcomes if isinstance(outcome, Booked)]
    moment = datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)
    ids = [booking.id for booking in booked]
    for statement in (
        "UPDATE bookings SET created_at = %s WHERE id = ANY (%s)",
        "UPDATE ledger SET at = %s WHERE booking_id = ANY (%s)",
    ):
        owner.execute(statement, [moment, ids])
    return [Made(each.id, event_id, each.user_id, day) for each in booked]


async def _listed(rankings: Rankings, period: str, day: date) -> Ranking:
    listed = await rankings.list_top_users(period, day.isoformat())
    return [(user.place, user.user_id, user.bookings_count) for user in listed]


def _expected(made: list[Made], period: str, day: date) -> Ranking:
    first = first_day(period, day.isoformat())
    counts = Counter(
        booking.user_id
        for booking in made
        if booking.is_live and first_day(period, booking.day.isoformat()) == first
    )
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        (1 + sum(other > count for other in counts.values()), user, count)
        for user, count in ordered[:MOST]
    ]
