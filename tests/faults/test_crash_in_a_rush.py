"""`kill -9` while buyers reserve over HTTP: acknowledged seats stay, the others are settled."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database
from tests.e2e.client import create_event, new_key, open_client
from tests.e2e.system import System
from tests.faults.buyers import Purchase, Rush
from tests.processes import Process
from tests.services.bookings.conftest import GATE, drift
from tests.services.conditions import until_blocked

SEATS, BUYERS = 1_200, 64
KILLED_AT = (200, 500, 800)
KILLED = -9
# The promise is one second; the rest is slack for a machine that is busy with other tests.
RESOLVED_SECONDS = 1 + 4


@pytest.fixture
async def running(database: Database, tmp_path: Path) -> AsyncIterator[System]:
    """Runs a whole Boxoffice."""
    system = System(database, tmp_path)
    await asyncio.to_thread(system.__enter__)
    try:
        yield system
    finally:
        await asyncio.to_thread(system.__exit__, None, None, None)


def new_event(system: System, total_seats: int) -> int:
    """Creates an event without a limit per user: only keys prevent a second seat."""
    with open_client(system.url) as client:
        event = create_event(client, total_seats, one_booking_per_user=False)
        return int(event["id"])


def booked(database: Database, event_id: int) -> list[tuple[int, str]]:
    """Lists the bookings of an event with their users."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT id, user_id FROM bookings.bookings WHERE event_id = %s ORDER BY id", [event_id]
        )
        return [(number, user) for number, user in rows.fetchall()]


def acknowledged(purchases: list[Purchase]) -> list[tuple[int, str]]:
    """Lists the bookings that buyers were told of, with their users."""
    answers = [(purchase, purchase.answers[-1]) for purchase in purchases]
    return sorted(
        (answer.json["booking_id"], purchase.user)
        for purchase, answer in answers
        if answer and answer.status == 201
    )


def make_commits_wait(database: Database) -> None:
    """Makes every COMMIT of a change wait for the holder of the lock GATE."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        connection.execute(f"""
            CREATE FUNCTION wait_at_the_gate() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_advisory_xact_lock_shared({GATE});
                RETURN NULL;
            END;
            $$;
            CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION wait_at_the_gate()
        """)


async def restart(system: System, victim: Process) -> float:
    """Kills a process and starts it again; returns the time when all are ready."""
    victim.kill()
    assert victim.ended() == KILLED
    victim.start()
    await asyncio.to_thread(system.wait_until_ready)
    return time.monotonic()


@pytest.mark.parametrize("name", ["bookings 0", "gateway 0"])
async def test_a_rush_survives_crashes(running: System, name: str) -> None:
    """A crash could lose an acknowledged seat, sell one twice, or leave a request in doubt."""
    [victim] = [process for process in running.processes if process.name == name]
    rush = Rush(running.port, new_event(running, SEATS), BUYERS)
    restarts = []

    async def crash(rush: Rush) -> None:
        for sold in KILLED_AT:
            await rush.reach(sold)
            pending = [purchase for purchase in rush.purchases if not purchase.is_settled]
            restarts.append((pending, await restart(running, victim)))

    await rush.run(crash)
    in_doubt = [purchase for purchase in rush.purchases if purchase.was_in_doubt]
    assert in_doubt, "no crash hit a request"
    waited = max(p.settled_at - serving for pending, serving in restarts for p in pending)
    print(f"{len(in_doubt)} in doubt; all settled within {waited:.2f} s of the restart")
    assert waited < RESOLVED_SECONDS
    found = booked(running.database, rush.event_id)
    assert len(found) == SEATS
    assert acknowledged(rush.purchases) == found
    assert drift(running.database) == []


async def test_stored_responses_survive_a_crash(running: System) -> None:
    """After a crash a repeated key could get another response."""
    rush = Rush(running.port, new_event(running, total_seats=40), BUYERS)
    await rush.run(lambda rush: rush.reach(40))
    before = [purchase.answers[-1] for purchase in rush.purchases]
    await restart(running, running.bookings[0])
    await asyncio.gather(*(purchase.ask(running.port) for purchase in rush.purchases))
    after = [purchase.answers[-1] for purchase in rush.purchases]
    assert [a and (a.status, a.body) for a in after] == [b and (b.status, b.body) for b in before]
    assert {a and a.headers["idempotent-replayed"] for a in after} == {"true"}


@pytest.mark.parametrize(("key", "seats"), [("the same", 1), ("another", 2)])
async def test_a_seat_committed_during_a_crash_is_found_by_its_key(
    running: System, key: str, seats: int
) -> None:
    """A buyer whose request was committed during a crash could get a second seat.

    Another key is the control: without the stored response there is a second seat.
    """
    [bookings] = running.bookings
    make_commits_wait(running.database)
    purchase = Purchase(new_event(running, SEATS))
    async with await psycopg.AsyncConnection.connect(
        running.database.owner_dsn, autocommit=True
    ) as gate:
        await gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
        asked = asyncio.create_task(purchase.ask(running.port))
        await until_blocked(gate, 1)
        bookings.kill()
        await gate.execute("SELECT pg_advisory_unlock(%s)", [GATE])
    await asked
    assert purchase.outcome == (504, "outcome_unknown")
    await restart(running, bookings)
    if key == "another":
        purchase.key = new_key()
    await purchase.settle(running.port)
    found = booked(running.database, purchase.event_id)
    assert [user for _, user in found] == [purchase.user] * seats
    assert acknowledged([purchase]) == found[-1:]
    assert drift(running.database) == []
