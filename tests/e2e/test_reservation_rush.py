import itertools
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import psycopg
import pytest

from tests.conftest import Database
from tests.e2e.client import create_event, new_key, new_user, open_client
from tests.e2e.conftest import Start
from tests.e2e.raw_http import Answer, Crowd, crowd, reservation
from tests.e2e.system import System
from tests.services.bookings.conftest import drift, take_out_the_second_line

BUYERS, SEATS, ROUNDS = 200, 50, 4
ROUNDS_WITHOUT_LOCK = 10


@pytest.fixture(params=["system", "replicated"])
def busy(request: pytest.FixtureRequest) -> System:
    """Returns a system with one replica of bookings, then one with two."""
    found: System = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def buyers(busy: System) -> AsyncIterator[Crowd]:
    """Returns a connection for each buyer."""
    async with crowd(busy.ports, BUYERS) as opened:
        yield opened


def new_event(system: System, total_seats: int = SEATS) -> int:
    """Creates an event; returns its id."""
    with open_client(system.url) as client:
        return int(create_event(client, total_seats)["id"])


async def rush(
    crowd: Crowd, event_id: int, users: Sequence[str], keys: Sequence[str] = ()
) -> list[Answer]:
    """Requests a seat for each user, all at once; returns the responses."""
    pairs = itertools.zip_longest(users, keys, fillvalue="")
    return await crowd.rush([reservation(event_id, user, key) for user, key in pairs])


def outcomes(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    """Counts the answers by status and code."""
    return Counter(answer.outcome for answer in answers)


def counts(database: Database, event_id: int) -> tuple[int, ...]:
    """Counts the seats of an event: by its counter, its bookings, its ledger."""
    with psycopg.connect(database.owner_dsn) as connection:
        row = connection.execute(
            """
            SELECT
                (SELECT sold FROM bookings.inventory WHERE event_id = %(event_id)s),
                (SELECT count(*) FROM bookings.bookings WHERE event_id = %(event_id)s),
                (SELECT sum(seats) FROM bookings.ledger WHERE event_id = %(event_id)s)
            """,
            {"event_id": event_id},
        ).fetchone()
    assert row is not None
    return tuple(map(int, row))


async def test_two_hundred_buyers_get_fifty_seats(busy: System, buyers: Crowd) -> None:
    """Concurrent reservations could oversell, or leave seats unsold."""
    users = [new_user() for _ in range(BUYERS)]
    for _ in range(ROUNDS):
        event_id = new_event(busy)
        answers = await rush(buyers, event_id, users)
        expected = {(201, ""): SEATS, (409, "sold_out"): BUYERS - SEATS}
        assert outcomes(answers) == expected, busy.defects()
        assert counts(busy.database, event_id) == (SEATS, SEATS, SEATS)
        booked = [r.json for r in answers if r.status == 201]
        assert len({booking["booking_id"] for booking in booked}) == SEATS
        revisions = sorted(int(r.headers["x-inventory-revision"]) for r in answers)
        assert revisions[:SEATS] == list(range(2, SEATS + 2))
        assert set(revisions[SEATS:]) == {SEATS + 1}
    assert drift(busy.database) == []
    for replica in busy.bookings:
        assert "BookingsService/" in replica.log(), "no request reached it"


async def test_without_the_lock_more_seats_are_sold(start: Start, database: Database) -> None:
    """Negative control: without the lock, more seats are sold than there are."""
    take_out_the_second_line(database)
    system = start(replicas=2, gateways=2, bookings="tests.e2e.bookings_without_lock")
    async with crowd(system.ports, BUYERS) as buyers:
        for _ in range(ROUNDS_WITHOUT_LOCK):
            event_id = new_event(system)
            answers = await rush(buyers, event_id, [new_user() for _ in range(BUYERS)])
            if outcomes(answers)[201, ""] > SEATS:
                return
    pytest.fail("nothing was oversold, so the test above may prove nothing")


async def test_concurrent_requests_of_a_user_book_one_seat(busy: System, buyers: Crowd) -> None:
    """A double click could book two seats."""
    event_id = new_event(busy)
    answers = await rush(buyers, event_id, ["ada"] * 64)
    assert outcomes(answers) == {(201, ""): 1, (409, "already_booked"): 63}
    assert counts(busy.database, event_id) == (1, 1, 1)
    [made] = [r.headers["location"] for r in answers if r.status == 201]
    assert {r.headers["content-location"] for r in answers if r.status == 409} == {made}


async def test_a_key_in_parallel_has_one_effect(busy: System, buyers: Crowd) -> None:
    """Concurrent requests with one key could book twice, or get different responses."""
    event_id, key = new_event(busy), new_key()
    answers = await rush(buyers, event_id, ["ada"] * 64, [key] * 64)
    assert outcomes(answers).keys() <= {(201, ""), (409, "request_in_progress")}
    served = [r for r in answers if r.status == 201]
    assert len({r.body for r in served}) == 1
    assert [r.headers.get("idempotent-replayed") for r in served].count(None) == 1
    assert counts(busy.database, event_id) == (1, 1, 1)
    [later] = await rush(buyers, event_id, ["ada"], [key])
    assert later.body == served[0].body
    assert later.headers["idempotent-replayed"] == "true"


async def test_repeated_keys_get_the_same_responses(busy: System, buyers: Crowd) -> None:
    """Repeated keys could change outcomes."""
    event_id = new_event(busy)
    users, keys = [new_user() for _ in range(BUYERS)], [new_key() for _ in range(BUYERS)]
    first = await rush(buyers, event_id, users, keys)
    again = await rush(buyers, event_id, users, keys)
    assert outcomes(first) == {(201, ""): SEATS, (409, "sold_out"): BUYERS - SEATS}
    assert [(r.status, r.body) for r in again] == [(r.status, r.body) for r in first]
    assert {r.headers["idempotent-replayed"] for r in again} == {"true"}
    assert counts(busy.database, event_id) == (SEATS, SEATS, SEATS)
