import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import chain

import psycopg
import pytest

from tests.conftest import Database
from tests.e2e.cinema import open_cinema
from tests.e2e.client import new_key, new_user
from tests.e2e.raw_http import Answer, Crowd, crowd, request
from tests.e2e.system import System

CALLERS, SEATS, ROWS = 200, 20, 10
ROOM = [{"row": f"{row}", "seats": SEATS} for row in range(ROWS)]
PAIR = (101, 102)
BEST = {"best": {"count": 2, "adjacent": False}}


@pytest.fixture
async def callers(replicated: System, screening_id: int) -> AsyncIterator[Crowd]:
    """Returns a connection for each caller, opened last: the gateway closes idle ones."""
    async with crowd(replicated.ports, CALLERS) as opened:
        yield opened


@pytest.fixture
def screening_id(replicated: System) -> int:
    """Puts on a screening in a room of 200 seats."""
    with open_cinema(replicated) as cinema:
        return cinema.screening(ROOM)


async def rush(
    callers: Crowd, screening_id: int, choices: Sequence[Mapping[str, object]]
) -> list[Answer]:
    """Lets a new user ask for each choice of seats, all at once; repeats those with 503."""
    return await callers.settle(
        [
            request(
                "POST",
                "/api/seat-reservations",
                {"screening_id": screening_id, "user_id": new_user(), **choice},
                {"Idempotency-Key": new_key()},
            )
            for choice in choices
        ]
    )


def outcomes(answers: Sequence[Answer]) -> Counter[tuple[int, str]]:
    """Counts the answers by status and code."""
    return Counter(answer.outcome for answer in answers)


def held(answers: Sequence[Answer]) -> list[int]:
    """Lists the seats that were given, as often as they were."""
    return list(chain.from_iterable(a.json["seat_ids"] for a in answers if a.status == 201))


def claimed(database: Database, screening_id: int) -> list[int]:
    """Lists the seats that somebody has."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT seat_id FROM bookings.seat_claims"
            " WHERE event_id = %s AND booking_id > 0 ORDER BY seat_id",
            [screening_id],
        )
        return [seat_id for (seat_id,) in rows]


async def test_one_of_two_hundred_gets_the_pair_that_all_want(
    replicated: System, callers: Crowd, screening_id: int
) -> None:
    """A seat could be given twice, or the others not be told what is free instead."""
    answers = await rush(callers, screening_id, [{"seat_ids": PAIR}] * CALLERS)
    assert outcomes(answers) == {(201, ""): 1, (409, "seats_unavailable"): CALLERS - 1}
    assert held(answers) == claimed(replicated.database, screening_id) == list(PAIR)
    for refused in (answer.json["details"] for answer in answers if answer.status == 409):
        assert refused["reasons"] == {str(seat_id): "held" for seat_id in PAIR}
        assert refused["left"] == SEATS * ROWS - 2
        assert refused["alternatives"]["pairs"]


async def test_no_seat_is_given_twice(
    replicated: System, callers: Crowd, screening_id: int
) -> None:
    """Overlapping choices could each get a part of what the other has."""
    firsts = random.choices(range(1, SEATS * ROWS), k=CALLERS)
    choices = [{"seat_ids": [first, first + 1]} for first in firsts]
    answers = await rush(callers, screening_id, choices)
    assert outcomes(answers).keys() == {(201, ""), (409, "seats_unavailable")}
    assert sorted(held(answers)) == claimed(replicated.database, screening_id)


async def test_a_hundred_best_pairs_fill_the_room(callers: Crowd, screening_id: int) -> None:
    """The best pairs that are left could overlap, or leave seats unsold."""
    answers = await rush(callers, screening_id, [BEST] * CALLERS)
    assert outcomes(answers) == {
        (201, ""): SEATS * ROWS // 2,
        (409, "sold_out"): CALLERS - SEATS * ROWS // 2,
    }
    assert sorted(held(answers)) == list(range(1, SEATS * ROWS + 1))
