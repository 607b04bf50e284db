import asyncio
import random
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from services.bookings.lookups import SQL as LOOKUPS
from services.bookings.queue.admissions import (
    AWAY_SECONDS,
    PRESENT_SECONDS,
    SQL,
    Admissions,
    LockedQueue,
)
from services.bookings.queue.queues import SQL as QUEUES
from services.bookings.queue.queues import Holder, Place
from tests.conftest import Database
from tests.services.bookings.queue.conftest import Waiting, moment, stop_the_clock

JOINERS, MOST_ACTIVE = 1_000, 40


async def test_a_crowd_is_admitted_in_order_and_never_too_many_at_once(line: Waiting) -> None:
    """Somebody who waits would be overtaken, or the sale be flooded; the silent would stall it."""
    await line.open(
        opens_at=await moment(line, -1),
        rate_per_minute=60_000,
        max_active=MOST_ACTIVE,
    )
    joined = await line.join(*(f"user-{number}" for number in range(JOINERS)))
    await line.admissions.admit()
    while await line.admissions.draw():
        pass
    replicas = [Admissions(line.pool), Admissions(line.pool)]
    chance = random.Random(3)
    silent = set(chance.sample(range(JOINERS), JOINERS // 3))
    # Two thirds give a sign of life after the silence, as polls do.
    await line.pass_time(PRESENT_SECONDS)
    await line.queues.find(
        [Holder(1, joined[number].token) for number in range(JOINERS) if number not in silent]
    )
    admitted: list[int] = []
    while len(admitted) < 200:
        await line.pass_time(1)
        await asyncio.gather(*(replica.admit() for replica in replicas))
        await _expect_at_most(line, MOST_ACTIVE)
        rows = await line.rows(
            "SELECT place, id - 1 FROM queue_entries WHERE state = 'ADMITTED' ORDER BY place"
        )
        new = [place for place, _ in rows if place not in admitted]
        assert not {number for _, number in rows} & silent
        assert not admitted or all(place > max(admitted) for place in new), "somebody was overtaken"
        admitted += new
        for _, number in rows[:25]:
            if number % 2:
                bought = await line.buy(f"user-{number}", joined[number].token)
                assert bought.booking.user_id == f"user-{number}"
            else:
                await line.queues.leave(Holder(1, joined[number].token))
    live = await line.rows(
        "SELECT place FROM queue_entries WHERE state = 'WAITING' AND seen_at >"
        f" present() - interval '{PRESENT_SECONDS} seconds'"
    )
    assert not live or max(admitted) < min(place for (place,) in live)


async def _expect_at_most(line: Waiting, most: int) -> None:
    [(active,)] = await line.rows("SELECT count(*) FROM queue_entries WHERE state = 'ADMITTED'")
    assert active <= most


async def test_the_rate_is_kept(line: Waiting, database: Database) -> None:
    """Two replicas would admit twice as many, or one too many after a pause."""
    stop_the_clock(database, at_seconds=0)
    await line.open(rate_per_minute=120)
    await line.join(*(f"user-{number}" for number in range(30)))
    replicas = [Admissions(line.pool), Admissions(line.pool)]

    async def admitted() -> int:
        await asyncio.gather(*(replica.admit() for replica in replicas))
        [(count,)] = await line.rows("SELECT count(*) FROM queue_entries WHERE state = 'ADMITTED'")
        return int(count)

    assert await admitted() == 2, "the first second's"
    assert await admitted() == 2, "no time has passed"
    stop_the_clock(database, at_seconds=1)
    assert await admitted() == 4
    stop_the_clock(database, at_seconds=41)
    assert await admitted() == 8, "at most two seconds' worth after a pause"


@pytest.mark.parametrize("is_right", [True, False])
async def test_an_outage_makes_nobody_absent(
    line: Waiting, is_right: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All would be passed over after it, and the first to come back overtake those before them."""
    if not is_right:
        monkeypatch.setattr(LockedQueue, "was_unattended", False)
    await line.open(rate_per_minute=60, max_active=1)
    first, second, silent = await line.join("ada", "bob", "eve")
    await line.admissions.admit()
    await line.queues.leave(Holder(1, first.token))
    await line.pass_time(PRESENT_SECONDS - 1)
    await line.queues.see([Holder(1, second.token)])
    await line.admissions.admit()
    assert await line.state(second.token) == "ADMITTED"
    await line.queues.leave(Holder(1, second.token))
    await line.pass_time(AWAY_SECONDS, unattended=True)
    await line.join("quick")
    await line.admissions.sweep()
    await line.admissions.admit()
    await line.admissions.sweep()
    assert (await line.state(silent.token) == "ADMITTED") is is_right


async def test_an_admission_ends_with_its_time(line: Waiting) -> None:
    """People who do not book would keep the others out."""
    await line.open(rate_per_minute=60, max_active=1, admission_seconds=300)
    first, second = await line.join("ada", "bob")
    await line.admissions.admit()
    assert await line.position(first.token) == 0
    await line.pass_time(300)
    assert await line.position(second.token) == 1, "the sign of life"
    assert (await line.buy("ada", first.token)).reason == "QUEUE_REQUIRED"
    await line.admissions.admit()
    assert await line.state(first.token) == "EXPIRED"
    assert await line.position(second.token) == 0


async def test_the_wait_is_estimated_by_the_admissions_of_late(line: Waiting) -> None:
    """People would be told the set rate, though a full house lets fewer in."""
    queue = LockedQueue(True, 60, 9, 60, 0, 0, 0, b"", 0, 60, 60, await moment(line, 0))
    assert queue.rate_after(admitted=6, room=6) < 30
    assert round(queue.rate_after(admitted=6, room=7)) == 60, "nobody waited"
    await line.open(rate_per_minute=60)
    joined = await line.join(*(f"user-{number}" for number in range(10)))
    assert [each.place.wait_seconds for each in joined][::9] == [1, 10]
    await line.open(rate_per_minute=0)
    await line.queues.get(1, anew=True)
    [place] = await line.queues.find([Holder(1, joined[0].token)])
    assert isinstance(place, Place)
    assert place.wait_seconds is None


async def test_signs_of_life_touch_no_index(line: Waiting) -> None:
    """Those of 100,000 people, each 20 seconds, would fill six indexes with dead entries."""
    await line.open()
    await line.join("user")
    async with line.pool.connection() as connection, connection.transaction():
        seen = await connection.execute(QUEUES["see_entries"], {"event_id": 1, "ids": [1]})
        assert seen.rowcount == 1
        counted = await connection.execute(
            "SELECT pg_stat_get_xact_tuples_hot_updated('queue_entries'::regclass)"
        )
        assert await counted.fetchall() == [(1,)]


async def test_the_first_are_found_without_looking_at_all(database: Database) -> None:
    """Each admission would sort 100,000 people, where statistics are older than the rush."""
    values = {
        "event_id": 1,
        "now": datetime.now(UTC),
        "admission_seconds": 600,
        "present_seconds": PRESENT_SECONDS,
        "room": 1_000,
    }
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute("""
            INSERT INTO queue_entries (
                event_id, id, place, user_id, secret_hash, state, joined_at, seen_at
            )
            SELECT
                1 + least(n % 50, 1), n, 7919 * n % 20011, 'user-' || n, '', 'WAITING', now(), now()
            FROM generate_series(1, 4000) AS n
        """)
        connection.execute("ANALYZE queue_entries")
        careless = _plan(connection, values)
        connection.execute(LOOKUPS["by_keys"])
        connection.execute(SQL["go_by_places"])
        careful = _plan(connection, values)
    assert "Sort" in careless, "the planner needs no help any more"
    assert "Sort" not in careful
    assert "Index Scan using queue_entries_waiting" in careful


def _plan(connection: psycopg.Connection, values: dict[str, Any]) -> str:
    rows = connection.execute(b"EXPLAIN " + SQL["admit"], values).fetchall()
    return " ".join(step for (step,) in rows)
