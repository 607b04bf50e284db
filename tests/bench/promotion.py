"""The time until a freed seat belongs to the next in line, also during a sale."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median, quantiles

import httpx

from tests.bench import database
from tests.bench.cases import Reserving
from tests.bench.database import ROOM
from tests.bench.system import System
from tests.bench.wrk import Load

HOLDERS, WAITING = 5_000, 100_000
GOAL_MS = 1_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """Milliseconds from a cancellation to its response, and to when the next in line sees the seat.

    `looks` is how many times the next in line read the status until then.
    """

    answered: float
    seen: float
    looks: int


def report(system: System, seconds: float) -> Iterator[str]:
    """Cancels one ticket after another, alone and beside HOT; yields a line for each."""
    yield f"PROMOTION: one ticket given back after the other, {WAITING} waiting; ms from sending"
    yield "    POST /cancel until its answer, and until GET /status shows the next one booked"
    yield f"    (goal: {GOAL_MS} p95)"
    key = system.create_tickets(HOLDERS)
    database.fill_waiting_list(system.owner_dsn, key, holders=HOLDERS, waiting=WAITING)
    numbers = iter(range(1, HOLDERS + 1))
    hot = Reserving(system, "HOT", 0, lambda: system.create_event(ROOM))
    hot.prepare()
    with ThreadPoolExecutor(1) as executor, httpx.Client(base_url=system.url) as client:
        pause = executor.submit(time.sleep, seconds)
        yield f"    alone: {_summary(_promote(client, key, numbers, pause))}"
        load: Future[Load] = executor.submit(hot.drive, seconds)
        promoted = _promote(client, key, numbers, load)
        rate = load.result().succeeded / load.result().seconds
        yield f"    beside HOT at {rate:.0f}/s: {_summary(promoted)}"


def _promote(
    client: httpx.Client, key: str, numbers: Iterator[int], until: Future[Load] | Future[None]
) -> list[Promotion]:
    """Cancels the tickets of these holders during another load."""
    promoted = []
    while not until.done():
        number = next(numbers)
        started = time.perf_counter()
        given = client.post("/cancel", json={"userId": f"grown-{number}", "eventId": key})
        answered = time.perf_counter()
        assert given.raise_for_status().json()["promoted"]
        looks = 1
        while not _is_booked(client, key, f"waiting-{number}"):
            looks += 1
        seen = time.perf_counter()
        promoted.append(Promotion(1e3 * (answered - started), 1e3 * (seen - started), looks))
    return promoted


def _is_booked(client: httpx.Client, key: str, user: str) -> bool:
    shown = client.get(f"/status/{key}", params={"userId": user}).raise_for_status().json()
    return bool(shown["you"]["status"] == "booked")


def _summary(promoted: list[Promotion]) -> str:
    answered = _p50_p95([one.answered for one in promoted])
    seen = _p50_p95([one.seen for one in promoted])
    looked = sum(one.looks for one in promoted)
    return (
        f"{len(promoted)} promoted; answered after p50 / p95 {answered}, seen after {seen},"
        f" by {looked} looks"
    )


def _p50_p95(milliseconds: list[float]) -> str:
    return f"{median(milliseconds):.1f} / {quantiles(milliseconds, n=20)[18]:.1f}"
