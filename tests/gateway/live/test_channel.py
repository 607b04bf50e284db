import base64
import random
from collections.abc import Sequence

import orjson
import pytest

from boxoffice.bookings.v1 import live_pb2
from gateway.live.channel import MOST_PAGES, Channel
from gateway.live.source import NO_LAYOUT
from tests.gateway.live.ledger import (
    BLOCKED,
    EVENT_ID,
    FREED,
    HELD,
    SEATS,
    SOLD,
    change,
    snapshot,
)
from tests.gateway.live.viewer import Viewer


def channel(revision: int = 10, past: Sequence[live_pb2.SeatChange] = ()) -> Channel:
    """Opens a channel of a room of which nothing is taken."""
    shown = snapshot(revision)
    shown.past.extend(past)
    return Channel(EVENT_ID, shown, NO_LAYOUT)


def turn(opened: Channel, *changes: live_pb2.SeatChange) -> None:
    """Lets changes arrive together, and makes a page of them."""
    revision = changes[-1].revision
    response = live_pb2.WatchEventResponse(changes=changes, revision=revision)
    opened.receive(response, NO_LAYOUT)
    opened.turn_page()


def replace(opened: Channel, shown: live_pb2.SeatSnapshot) -> None:
    """Lets a snapshot arrive, and makes a page of it."""
    response = live_pb2.WatchEventResponse(snapshot=shown, revision=shown.revision)
    opened.receive(response, NO_LAYOUT)
    opened.turn_page()


def joined(opened: Channel, after: int = 0) -> Viewer:
    """Lets a client join that has a revision."""
    viewer = Viewer(revision=after)
    opened.join(viewer, after)
    return viewer


def deliver(opened: Channel) -> None:
    """Brings every client up to date that can be."""
    for watcher in opened.watchers:
        opened.catch_up(watcher)


def test_changes_of_one_kind_become_one_event() -> None:
    """A crowd would get a hundred events a second each; across kinds their order would be lost."""
    opened = channel()
    viewer = joined(opened)
    turn(
        opened,
        change(11, HELD, 1, 2),
        change(12, HELD, 3),
        change(13, FREED, 1),
        change(14, HELD, 1),
        change(15, SOLD, 1, seats=0),
    )
    deliver(opened)
    shown = ("after_revision", "revision", "seat_ids", "seat_count", "left", "status")
    assert [tuple(event.get(name) for name in shown) for event in viewer.events[1:]] == [
        (10, 12, [1, 2, 3], 3, SEATS - 3, "HELD"),
        (12, 13, [1], 1, SEATS - 2, None),
        (13, 14, [1], 1, SEATS - 3, "HELD"),
        (14, 15, [1], 1, SEATS - 3, "SOLD"),
    ]


def test_changes_that_nobody_sees_leave_no_gap() -> None:
    """A client would reconnect whenever somebody joined the waiting list."""
    opened = channel()
    early = joined(opened)
    turn(opened, change(11), change(12, HELD, 1), change(13))
    late = joined(opened)
    assert late.revision == 13
    turn(opened, change(14), change(15, FREED, 1))
    deliver(opened)
    assert [event["after_revision"] for event in early.events[1:]] == [10, 12]
    assert early.revision == late.revision == 15
    assert late.taken == early.taken == {}


def test_seats_off_sale_change_the_total() -> None:
    """The page would show seats as free that nobody can have."""
    opened = channel()
    turn(opened, change(11, BLOCKED, 1, 2), change(12, SOLD, 3), change(13, FREED, 1))
    [status] = joined(opened).events
    assert (status["total_seats"], status["left"]) == (SEATS - 1, SEATS - 2)
    assert base64.b64decode(status["blocked"]) == bytes([0b10, 0])
    assert base64.b64decode(status["sold"]) == bytes([0b100, 0])


def test_an_event_without_seats_has_numbers_alone() -> None:
    """General admission would have no live counter."""
    shown = snapshot(10, held=b"", sold=b"", blocked=b"", left=100, total_seats=100)
    opened = Channel(EVENT_ID, shown, NO_LAYOUT)
    viewer = joined(opened)
    turn(opened, change(11, SOLD, seats=2), change(12, SOLD, seats=3), change(13, FREED, seats=-1))
    deliver(opened)
    events = [(e["seat_ids"], e["seat_count"], e["left"]) for e in viewer.events[1:]]
    assert events == [([], 5, 95), ([], 1, 96)]


def run_of_holds(first: int, count: int) -> list[live_pb2.SeatChange]:
    """Returns changes that hold and free a seat in turn."""
    return [change(first + n, FREED if n % 2 else HELD, 1) for n in range(count)]


@pytest.mark.parametrize("after", [4, 9, 10, 11, 12, 13, 14])
def test_a_client_goes_on_where_it_was(after: int) -> None:
    """Before the channel was opened, within a merged event, or at the end: nothing is missing."""
    past = [change(5, HELD, 9), change(6), change(7, FREED, 9), change(8), change(9), change(10)]
    opened = channel(past=past)
    turn(opened, change(11, HELD, 1), change(12, HELD, 2), change(13, HELD, 3))
    turn(opened, change(14, FREED, 3))
    viewer = joined(opened, after)
    assert viewer.statuses == 0
    assert viewer.revision == 14
    assert viewer.left == (SEATS - 2 if after < 14 else 0)


@pytest.mark.parametrize("after", [0, 3, 15, 1 << 62])
def test_a_client_that_cannot_go_on_gets_all_seats(after: int) -> None:
    """New, from before what is known, or from the future of a database that was restored."""
    opened = channel(past=[change(n) for n in range(5, 11)])
    turn(opened, change(11, HELD, 1), change(12), change(13), change(14))
    viewer = joined(opened, after)
    assert (viewer.statuses, viewer.revision, viewer.taken) == (1, 14, {1: "HELD"})


def test_old_pages_are_dropped() -> None:
    """Memory would grow for as long as somebody watches."""
    opened = channel(past=[change(10, FREED, 9)])
    for each in run_of_holds(11, MOST_PAGES + 1):
        turn(opened, each)
    assert joined(opened, 10).statuses == 1
    assert joined(opened, 11).statuses == 0


def test_a_slow_client_gets_what_it_missed() -> None:
    """A slow client could miss changes: it catches up by pages, or by all seats."""
    opened = channel()
    slow, slower = joined(opened), joined(opened)
    slow.is_full = slower.is_full = True
    for number, each in enumerate(run_of_holds(11, MOST_PAGES + 3)):
        turn(opened, each)
        deliver(opened)
        slow.is_full = number < 100
    slower.is_full = False
    deliver(opened)
    assert (slow.statuses, len(slow.events)) == (1, MOST_PAGES + 4)
    assert (slower.statuses, len(slower.events)) == (2, 2)
    assert slow.revision == slower.revision == MOST_PAGES + 13


def test_a_new_status_without_a_new_revision_is_shown() -> None:
    """A page that reconnects would go on selling an event that was cancelled."""
    opened = channel()
    viewer = joined(opened)
    replace(opened, snapshot(10, status="CANCELLED", version=2))
    deliver(opened)
    assert viewer.status == "CANCELLED"
    assert joined(opened, 10).status == "CANCELLED"


def test_free_seats_are_listed_in_small_rooms() -> None:
    """A simple client would need the seat map as well; in a stadium the list would be megabytes."""
    layout = {n: orjson.Fragment(b'{"id":%d}' % n) for n in (1, 2, 3)}
    small = Channel(EVENT_ID, snapshot(10, 2), layout)
    [status] = joined(small).events
    assert status["available_seats"] == [{"id": 1}, {"id": 3}]
    many = bytes(251)
    large = Channel(EVENT_ID, snapshot(10, held=many, sold=many, blocked=many), NO_LAYOUT)
    [status] = joined(large).events
    assert status["available_seats"] is None


@pytest.mark.parametrize("seed", range(20))
def test_every_client_ends_with_the_same_seats(seed: int) -> None:
    """However changes arrive, whoever is slow, comes back or joins: no gap, and nothing twice."""
    chance = random.Random(seed)
    opened = channel()
    held: set[int] = set()
    viewers = [joined(opened)]
    for revision in range(11, 800):
        seat = chance.randrange(1, SEATS + 1)
        kind = FREED if seat in held else HELD
        held ^= {seat}
        news = change(revision, kind, seat) if chance.random() < 0.9 else change(revision)
        held = held if news.kind else held ^ {seat}
        response = live_pb2.WatchEventResponse(changes=[news], revision=revision)
        opened.receive(response, NO_LAYOUT)
        if chance.random() < 0.3:
            opened.turn_page()
            deliver(opened)
        viewer = chance.choice(viewers)
        viewer.is_full = not viewer.is_full
        if chance.random() < 0.05:
            viewers.append(joined(opened))
        if chance.random() < 0.05:
            # It left, and comes back with what it has.
            viewer.is_full = False
            opened.leave(viewer)
            opened.join(viewer, viewer.revision)
    opened.turn_page()
    for viewer in viewers:
        viewer.is_full = False
    deliver(opened)
    for viewer in viewers:
        assert (set(viewer.taken), viewer.left) == (held, SEATS - len(held))


def test_changes_that_arrive_twice_are_applied_once() -> None:
    """After an interruption bookings may send again what had arrived."""
    opened = channel()
    viewer = joined(opened)
    turn(opened, change(11, HELD, 1))
    turn(opened, change(11, HELD, 1), change(12, HELD, 2))
    deliver(opened)
    assert [event["seat_ids"] for event in viewer.events[1:]] == [[1], [2]]
    assert viewer.left == SEATS - 2
