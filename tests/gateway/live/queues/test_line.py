from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.bookings.v1 import queue_pb2
from gateway.http import metrics
from gateway.live.pace import PACE
from gateway.live.pages import Page
from gateway.live.queues.line import FIRST, SELDOM, Held, WaitingLine
from gateway.live.queues.updates import update_of
from services.kit.ranked_set import RankedSet
from tests.gateway.live.ledger import EVENT_ID
from tests.gateway.live.queues.people import ADMITTED, bitmap, held


@dataclass(eq=False)
class Client:
    """A client of one place, with what it was told."""

    is_full: bool = False
    has_ended: bool = False
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def positions(self) -> list[int | None]:
        """The positions that it was told."""
        return [each["position"] for each in self.told]

    def write(self, page: Page) -> None:
        """See Watcher."""
        assert not self.is_full
        self.told += [orjson.loads(event.data) for event in page.events]

    def end(self) -> None:
        """See Watcher."""
        self.has_ended = True


def queue(
    *places: int, line: bool = True, is_drawn: bool = True, per_minute: float = 60
) -> queue_pb2.WatchQueueResponse:
    """Makes a response: all places that wait, or those that do not any more."""
    return queue_pb2.WatchQueueResponse(
        line=queue_pb2.QueueLine(waiting=bitmap(places)) if line else None,
        changes=[] if line else [queue_pb2.QueueLineChange(places=places)],
        enabled=True,
        is_drawn=is_drawn,
        admissions_per_minute=per_minute,
    )


class Clock:
    """The time of a line, which passes when a test says so."""

    seconds = 100.0

    def __call__(self) -> float:
        """Returns the time."""
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    """Returns the clock of a line."""
    return Clock()


def opened(clock: Clock, response: queue_pb2.WatchQueueResponse) -> WaitingLine:
    """Opens a line."""
    line = WaitingLine(EVENT_ID, response, PACE)
    line._now = clock
    return line


def joined(line: WaitingLine, place: queue_pb2.HeldPlace) -> tuple[Held, Client]:
    """Lets a client join that holds a place."""
    client = Client()
    return line.join(f"{EVENT_ID}.{place.place}", place, client), client


def beat(line: WaitingLine) -> None:
    """Lets a second pass for those who are told."""
    line.beat()
    for each in line.watchers:
        line.catch_up(each)


async def test_each_client_is_told_its_own_position(clock: Clock) -> None:
    """Somebody would see another's place, or not what the API documents."""
    line = opened(clock, queue(3, 5, 8))
    clients = [joined(line, held(place))[1] for place in (3, 8)]
    line.receive(queue(3, line=False))
    beat(line)
    assert clients[1].positions == [3, 2]
    [first] = clients[0].told[:1]
    assert datetime.fromisoformat(first.pop("timestamp")).tzinfo is not None
    assert first == {
        "screening_id": EVENT_ID,
        "enabled": True,
        "state": "WAITING",
        "position": 1,
        "estimated_wait_seconds": 1,
        "admitted_until": None,
    }


async def test_the_first_are_told_each_second_and_others_seldom(clock: Clock) -> None:
    """A crowd would get an event each second; or those who are next would be told too late."""
    count = FIRST + 2 * SELDOM + 2
    line = opened(clock, queue(*range(1, count + 1)))
    near, far = joined(line, held(FIRST))[1], joined(line, held(count))[1]
    for place in range(1, 2 * SELDOM + 1):
        line.receive(queue(place, line=False))
        beat(line)
    assert near.positions == list(range(FIRST, FIRST - 2 * SELDOM - 1, -1))
    assert len(far.told) == 3
    assert far.positions[0] == count
    beats = 2 * SELDOM
    for _ in range(2 * SELDOM):
        beat(line)
    assert far.positions[-1] == count - beats
    assert len(near.told) == 2 * SELDOM + 1, "nothing is new"


async def test_a_client_that_does_not_read_is_told_the_latest_alone(clock: Clock) -> None:
    """What it missed would fill the memory, or be shown one after the other."""
    line = opened(clock, queue(1, 2, 3, 4))
    _, client = joined(line, held(4))
    client.is_full = True
    for place in (1, 2, 3):
        line.receive(queue(place, line=False))
        beat(line)
    client.is_full = False
    beat(line)
    assert client.positions == [4, 1]


async def test_bookings_is_asked_about_whose_place_waits_no_more(clock: Clock) -> None:
    """Who is admitted would be told after up to 20 seconds, or be asked about 40 times a second."""
    line = opened(clock, queue(1, 2))
    one, client = joined(line, held(1))
    joined(line, held(2))
    line.receive(queue(1, line=False))
    beat(line)
    assert not line.has_due.is_set(), "the answer may be newer than the line"
    clock.seconds += PACE.queue_seconds
    beat(line)
    assert line.has_due.is_set()
    assert line.take_due(9) == [one]
    beat(line)
    assert line.take_due(9) == [], "it was asked just now"
    line.settle(one, held(1, ADMITTED))
    beat(line)
    assert (client.positions[-1], client.told[-1]["state"]) == (0, "ADMITTED")
    assert client.told[-1]["admitted_until"] is not None


async def test_each_holder_is_reported_while_it_is_there(clock: Clock) -> None:
    """Bookings would pass over who waits on an open page; or who closed it would never lose it."""
    line = opened(clock, queue(1, 2, 3))
    holders = [joined(line, held(place))[0] for place in (1, 2, 3)]
    over, _ = joined(line, held(4, queue_pb2.QUEUE_STATE_DONE))
    for _ in range(2):
        beat(line)
        assert line.take_due(9) == []
        clock.seconds += PACE.presence_seconds
        beat(line)
        assert line.take_due(2) == holders[:2]
        assert line.has_due.is_set()
        taken = line.take_due(9)
        assert taken == holders[2:]
        assert not line.has_due.is_set()
        line.give_back(taken)
        assert line.take_due(9) == taken, "bookings did not answer"
    line.leave(holders[0])
    clock.seconds += PACE.presence_seconds
    beat(line)
    assert line.take_due(9) == holders[1:]
    line.leave(over)


@pytest.mark.parametrize(("others", "beats"), [(0, 1), (FIRST, SELDOM)])
async def test_who_has_booked_learns_it_soon(clock: Clock, others: int, beats: int) -> None:
    """A page would show for 20 seconds that there is time to book; crowds may not cost as much."""
    line = opened(clock, queue(*range(1, others + 1)))
    for place in range(1, others + 1):
        joined(line, held(place))
    admitted, client = joined(line, held(9, ADMITTED))
    for _ in range(beats):
        beat(line)
        assert line.take_due(9) == []
        clock.seconds += PACE.queue_seconds
    beat(line)
    assert line.take_due(9) == [admitted]
    line.settle(admitted, held(9, queue_pb2.QUEUE_STATE_DONE))
    line.catch_up(admitted)
    assert client.told[-1]["state"] == "DONE"
    clock.seconds += PACE.queue_seconds * SELDOM
    beat(line)
    assert line.take_due(9) == [], "it is over"


async def test_who_is_far_behind_is_told_at_once_of_another_state(clock: Clock) -> None:
    """Who is admitted would be told seconds later, at their turn."""
    count = 2 * FIRST
    line = opened(clock, queue(*range(1, count + 1)))
    holders = [joined(line, held(count)) for _ in range(SELDOM)]
    for far, _ in holders:
        line.settle(far, held(count, ADMITTED))
    for far in line.watchers:
        line.catch_up(far)
    assert [client.positions for _, client in holders] == [[count, 0]] * SELDOM


async def test_a_place_is_asked_for_once_it_is_drawn(clock: Clock) -> None:
    """Those who came before the opening would not learn their places."""
    line = opened(clock, queue(is_drawn=False))
    early, client = joined(line, held(0))
    clock.seconds += PACE.queue_seconds
    beat(line)
    assert (line.take_due(9), client.positions) == ([], [None])
    line.receive(queue(1, 2, 3))
    beat(line)
    assert line.take_due(9) == [early]
    line.settle(early, held(3))
    beat(line)
    assert client.positions == [None, 3]


async def test_a_token_that_is_not_valid_any_more_ends_its_client(clock: Clock) -> None:
    """It would show a position for ever, and be counted as somebody who waits."""
    line = opened(clock, queue(1, 2))
    before = metrics.LIVE_PLACES._value.get()
    one, client = joined(line, held(1))
    _, other = joined(line, held(2))
    line.settle(one, queue_pb2.HeldPlace())
    assert [each.has_ended for each in (client, other)] == [True, False]
    line.end()
    assert [each.has_ended for each in (client, other)] == [True, True]
    assert metrics.LIVE_PLACES._value.get() == before


@pytest.mark.parametrize(
    ("per_minute", "opens_in", "wait"), [(120, None, 1), (120, -9, 1), (0, None, None)]
)
def test_the_wait_is_estimated_as_in_the_request(
    per_minute: float, opens_in: float | None, wait: int | None
) -> None:
    """The stream and `GET /api/queue/{event_id}` would say different things."""
    response = queue(1, 2, per_minute=per_minute)
    if opens_in is not None:
        response.opens_at.CopyFrom(in_seconds(opens_in))
    waiting = RankedSet([1, 2])
    assert update_of(response, waiting, held(2)).wait_seconds == wait


def test_the_wait_goes_on_until_the_queue_opens() -> None:
    """Who has a place in a queue that was closed again would be told to be there at once."""
    response = queue(1)
    response.opens_at.CopyFrom(in_seconds(600))
    wait = update_of(response, RankedSet([1]), held(1)).wait_seconds
    assert wait is not None
    assert 590 < wait <= 601


def in_seconds(seconds: float) -> Timestamp:
    """Returns a time in some seconds."""
    at = Timestamp()
    at.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return at
