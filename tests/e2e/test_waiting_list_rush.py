"""Hundreds of users book tickets and give them back at the same time, on two replicas."""

import itertools
from collections import Counter

import psycopg
import pytest

from tests.conftest import Database
from tests.e2e.client import new_key, open_client
from tests.e2e.conftest import Start
from tests.e2e.raw_http import Answer, crowd, ticket
from tests.e2e.system import System
from tests.services.bookings.conftest import drift
from tests.services.bookings.ledger import replay

TICKETS = 400
HOLDERS = [f"holder-{number}" for number in range(TICKETS)]
LATE = [f"late-{number}" for number in range(TICKETS)]


def new_event(system: System) -> tuple[str, int]:
    """Creates an event with tickets; returns its key and its id."""
    key = new_key()
    with open_client(system.url) as client:
        made = client.post("/initialize", json={"eventId": key, "totalTickets": TICKETS})
        assert made.status_code == 201, made.text
    with psycopg.connect(system.database.owner_dsn) as connection:
        asked = "SELECT id FROM events.events WHERE key = %s"
        [(number,)] = connection.execute(asked, [key]).fetchall()
    return key, int(number)


def live(database: Database, event_id: int) -> set[str]:
    """Returns who has a live booking."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT user_id FROM bookings.bookings WHERE event_id = %s AND status = 'CONFIRMED'",
            [event_id],
        )
        return {user for (user,) in rows.fetchall()}


def outcomes(answers: list[Answer]) -> Counter[tuple[int, str]]:
    """Counts the answers by status and code."""
    return Counter(answer.outcome for answer in answers)


async def rush(system: System, key: str) -> list[Answer]:
    """Books all tickets; then as many are given back as are requested, at the same time."""
    booking = [ticket(key, user) for user in LATE]
    cancelling = [ticket(key, user, path="/cancel") for user in HOLDERS]
    # Pairs of the same kind, since connections alternate between the two gateways.
    pairs = zip(*[iter(booking)] * 2, *[iter(cancelling)] * 2, strict=True)
    async with crowd(system.ports, 2 * TICKETS) as people:
        held = await people.settle([ticket(key, user) for user in HOLDERS])
        assert outcomes(held) == {(201, ""): TICKETS}
        return await people.settle(list(itertools.chain.from_iterable(pairs)))


async def test_400_cancel_while_400_book(replicated: System) -> None:
    """A seat could be freed twice, or go to somebody who is not next in line.

    The ledger is replayed: never oversold, nobody overtaken, no seat free while somebody waits.
    """
    key, event_id = new_event(replicated)
    answers = await rush(replicated, key)
    given = [answer for answer in answers if answer.status == 200]
    assert Counter(answer.json["status"] for answer in given) == {"cancelled": TICKETS}
    counted = outcomes(answers)
    assert counted[201, ""] + counted[202, ""] == TICKETS, counted
    assert sum(answer.json["promoted"] for answer in given) == counted[202, ""]
    told = replay(replicated.database, event_id, capacity=TICKETS)
    assert (told.taken, len(told.line), len(told.freed)) == (TICKETS, 0, TICKETS)
    assert live(replicated.database, event_id) == set(LATE)
    assert drift(replicated.database) == []


async def test_with_promotions_by_the_sweeper_only_the_check_fails(
    start: Start, database: Database
) -> None:
    """Negative control: freed seats stay free while users wait."""
    system = start(replicas=2, gateways=2, bookings="tests.e2e.bookings_without_promotion")
    key, event_id = new_event(system)
    await rush(system, key)
    with pytest.raises(AssertionError, match="a seat is free and somebody waits"):
        replay(database, event_id, capacity=TICKETS)
