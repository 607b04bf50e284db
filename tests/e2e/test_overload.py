import itertools
import time
from dataclasses import dataclass

import pytest

from tests.bench.open_loop import Arrivals, arrive
from tests.conftest import Database
from tests.e2e.client import create_event, new_user, open_client, reserve
from tests.e2e.conftest import Start
from tests.e2e.raw_http import reservation
from tests.e2e.system import System
from tests.services.bookings.conftest import drift, make_decisions_wait

# A batch takes this long, so that the capacity is known, and small, on any machine.
BATCH_SECONDS, BATCH_SIZE, WAITING = 0.1, 8, 32
CAPACITY = BATCH_SIZE / BATCH_SECONDS
PEAK, OVERLOAD = 1.0, 5.0
SECONDS = 2.0
# The promises, and the slack for a machine that is busy with other tests.
GOODPUT, GOODPUT_SLACK = 0.8, 0.2
REFUSED_SECONDS, SERVED_SECONDS, SLACK_SECONDS = 0.05, (WAITING + 2 * BATCH_SIZE) / CAPACITY, 0.45
NORMAL_SECONDS = 10
TRIALS = 5

_users = itertools.count(1)


@pytest.fixture
def slow(database: Database) -> Database:
    """Returns a database on which every batch takes BATCH_SECONDS."""
    make_decisions_wait(database, f"pg_sleep({BATCH_SECONDS})")
    return database


async def offer(system: System, event_id: int, times: float) -> Arrivals:
    """Sends requests at a multiple of the capacity."""
    first = next(_users)

    def write(number: int) -> bytes:
        return reservation(event_id, f"arrival-{first}-{number}")

    return await arrive("127.0.0.1", system.port, write, rate=times * CAPACITY, seconds=SECONDS)


def new_event(system: System) -> int:
    """Creates an event with seats for everybody."""
    with open_client(system.url) as client:
        return int(create_event(client, 1_000_000)["id"])


def seconds_to_normal(system: System, event_id: int) -> float:
    """Buys until a purchase is as fast as on an idle system; returns the seconds until then."""
    started = time.monotonic()
    with open_client(system.url) as client:
        while time.monotonic() < started + 2 * NORMAL_SECONDS:
            asked = time.monotonic()
            answer = reserve(client, event_id, new_user())
            if answer.status_code == 201 and time.monotonic() < asked + 5 * BATCH_SECONDS:
                break
    return time.monotonic() - started


@dataclass(frozen=True, slots=True)
class Trial:
    """The results of an overload, as the promises count them.

    `is_clear` if each request was served, or refused with the time of the next attempt.
    """

    is_clear: bool
    goodput: float
    refused_seconds: float
    served_seconds: float
    normal_seconds: float

    @property
    def is_kept(self) -> bool:
        """Whether every promise was kept, within the slack."""
        return (
            self.is_clear
            and self.goodput >= GOODPUT - GOODPUT_SLACK
            and self.refused_seconds < REFUSED_SECONDS + SLACK_SECONDS
            and self.served_seconds < SERVED_SECONDS + SLACK_SECONDS
            and self.normal_seconds < NORMAL_SECONDS
        )


async def overload(system: System, event_id: int) -> Trial:
    """Sends requests at the capacity, then at five times the capacity."""
    peak = await offer(system, event_id, PEAK)
    over = await offer(system, event_id, OVERLOAD)
    normal_seconds = seconds_to_normal(system, event_id)
    is_clear = over.statuses.keys() == {201, 503} and over.hinted == over.statuses[503]
    goodput = over.rate(201) / peak.rate(201)
    return Trial(is_clear, goodput, over.wait(503, 99), over.wait(201, 99), normal_seconds)


async def test_overload_is_refused_at_once_and_does_not_slow_the_sale(
    start: Start, slow: Database
) -> None:
    """Five times the capacity could stop the sale, or keep the others waiting for a refusal.

    The generator shares the machine with other tests, which may spoil a trial but not five.
    """
    system = start(
        BOXOFFICE_LOG_SAMPLE="0",
        GATEWAY_BATCH_SIZE=str(BATCH_SIZE),
        GATEWAY_MAX_WAITING=str(WAITING),
    )
    event_id = new_event(system)
    trials: list[Trial] = []
    while len(trials) < TRIALS and not any(trial.is_kept for trial in trials):
        trials.append(await overload(system, event_id))
    print(*trials, sep="\n")
    assert trials[-1].is_kept, trials
    assert drift(system.database) == []


async def test_with_a_longer_queue_everybody_waits(start: Start, slow: Database) -> None:
    """Negative control: with a longer queue, all requests wait longer than promised."""
    system = start(BOXOFFICE_LOG_SAMPLE="0", GATEWAY_BATCH_SIZE=str(BATCH_SIZE))
    over = await offer(system, new_event(system), OVERLOAD)
    assert over.wait(201, 99) > SERVED_SECONDS + SLACK_SECONDS
