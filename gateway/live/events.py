"""The events that clients get: their names, and their data in JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from boxoffice.bookings.v1 import live_pb2, seats_pb2
from gateway.codec.response import timestamp
from gateway.live.seats import BLOCKED, FREED, HELD, SOLD, Seats

MOST_SHOWN_SEATS = 2_000
"""Of larger rooms a status lists no free seats; its bitmaps have them."""

STATUSES = {HELD: "HELD", SOLD: "SOLD", BLOCKED: "BLOCKED"}

Layout = Mapping[int, orjson.Fragment]
"""The seats of a room as JSON, by their ids."""


class Event(NamedTuple):
    """An event up to a revision; a client that has one from `after` on may apply it.

    The revision of one that is about its client alone is 0.
    """

    name: str
    after: int
    revision: int
    data: bytes
    has_all: bool = False
    """Whether it replaces whatever the client has."""


class Step(NamedTuple):
    """A change, and how many seats are left after it."""

    change: live_pb2.SeatChange
    left: int


def is_shown(change: live_pb2.SeatChange) -> bool:
    """Returns whether clients can see a change. Others only raise the revision."""
    return bool(change.kind and _count(change))


def seat_event(screening_id: int, after: int, steps: Sequence[Step]) -> Event:
    """Returns one event for changes of one kind that follow each other."""
    last, left = steps[-1]
    shown: dict[str, Any] = {
        "screening_id": screening_id,
        "after_revision": after,
        "revision": last.revision,
        "seat_ids": [seat for change, _ in steps for seat in change.seat_ids],
        "seat_count": sum(_count(change) for change, _ in steps),
        "left": left,
        "timestamp": timestamp(last.at),
    }
    if last.kind != FREED:
        shown["status"] = STATUSES[last.kind]
    name = "seat_released" if last.kind == FREED else "seat_reserved"
    return Event(name, after, last.revision, orjson.dumps(shown))


class History:
    """What happened before a snapshot; encoded only when a client asks for it."""

    def __init__(self, snapshot: live_pb2.SeatSnapshot, screening_id: int) -> None:
        self._snapshot = snapshot
        self._screening_id = screening_id

    @property
    def begins_at(self) -> int:
        """The revision from which on all changes are known."""
        past = self._snapshot.past
        return past[0].revision - 1 if past else self._snapshot.revision

    @property
    def shown_up_to(self) -> int:
        """The revision of the last event."""
        shown = (change.revision for change in reversed(self._snapshot.past) if is_shown(change))
        return next(shown, self.begins_at)

    @cached_property
    def events(self) -> Sequence[Event]:
        """An event for each change."""
        return tuple(self._events())

    def _events(self) -> Iterator[Event]:
        past = self._snapshot.past
        left = self._snapshot.left + sum(change.seats for change in past)
        after = self.begins_at
        for change in past:
            left -= change.seats
            if is_shown(change):
                yield seat_event(self._screening_id, after, [Step(change, left)])
                after = change.revision


def status_event(seats: Seats, screening_id: int, layout: Layout) -> Event:
    """Returns the event that shows all seats."""
    held, sold, blocked = seats.bitmaps
    is_listed = seats.count <= MOST_SHOWN_SEATS
    shown = {
        "screening_id": screening_id,
        "revision": seats.revision,
        "status": seats.status,
        "total_seats": seats.total,
        "left": seats.left,
        "held": held,
        "sold": sold,
        "blocked": blocked,
        "available_seats": [layout[s] for s in seats.free(layout)] if is_listed else None,
        "timestamp": now(),
    }
    data = orjson.dumps(shown)
    return Event("seat_status_update", seats.revision, seats.revision, data, has_all=True)


def layout_of(seats: Iterable[seats_pb2.ScreeningSeat]) -> Layout:
    """Returns the seats of a room as clients see them."""
    return {
        seat.seat_id: orjson.Fragment(
            orjson.dumps(
                {"id": seat.seat_id, "row": seat.row, "number": seat.number, "type": seat.type}
            )
        )
        for seat in seats
    }


def now() -> str:
    """Returns the time as events show it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _count(change: live_pb2.SeatChange) -> int:
    return len(change.seat_ids) or abs(change.seats)
