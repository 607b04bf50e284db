"""The line of one queue, and the clients that hold places in it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from boxoffice.bookings.v1 import queue_pb2
from gateway.http import metrics
from gateway.live.channel import Watcher
from gateway.live.pace import Pace
from gateway.live.queues.updates import ADMITTED, WAITING, Update, page_of, update_of
from services.kit.ranked_set import RankedSet

FIRST = 500
"""Who stands so far ahead is told every new position; all others at every SELDOM-th beat."""
SELDOM = 5
OPEN_STATES = frozenset({WAITING, queue_pb2.QUEUE_STATE_AWAY, ADMITTED})
"""States that another one may follow."""


@dataclass(eq=False, slots=True)
class Held:
    """A place that a client holds, as bookings last said, and what the client was told of it.

    `is_settled` is whether it was told since bookings said so; `turn` is the beat that is its own.
    """

    token: str
    client: Watcher
    place: queue_pb2.HeldPlace
    asked_at: float
    turn: int
    told: Update | None = None
    is_settled: bool = False


class WaitingLine:
    """Who waits, as bookings streams it. Clients are told only what is new to them.

    Holders about whom bookings must be asked stand in a list, until `take_due`: those that were not
    reported for a while, and those whose places do not wait any more.
    """

    def __init__(self, event_id: int, queue: queue_pb2.WatchQueueResponse, pace: Pace) -> None:
        self.event_id = event_id
        self._pace = pace
        self._now = asyncio.get_running_loop().time
        self._waiting = RankedSet()
        self._held: dict[Held, None] = {}
        self._due: dict[Held, None] = {}
        self._beats = 0
        self._joined = 0
        self.has_due = asyncio.Event()
        self.has_ended = False
        self.receive(queue)

    @property
    def watchers(self) -> Sequence[Held]:
        """The places that clients hold, in the order of their arrival."""
        return tuple(self._held)

    def receive(self, queue: queue_pb2.WatchQueueResponse) -> None:
        """Applies what arrived: all who wait, or changes."""
        if queue.HasField("line"):
            self._waiting = RankedSet.from_bytes(queue.line.waiting)
        for change in queue.changes:
            if change.waits:
                self._waiting.add(change.places)
            else:
                self._waiting.discard(change.places)
        self._queue = queue

    def beat(self) -> None:
        """Begins the next round of updates."""
        self._beats += 1

    def turn_page(self) -> None:
        """Does nothing: a position is counted when it is told."""

    def join(self, token: str, place: queue_pb2.HeldPlace, client: Watcher) -> Held:
        """Adds a client that holds a place, and tells it where it stands."""
        self._joined += 1
        held = Held(token, client, place, self._now(), self._joined % SELDOM)
        if self.has_ended:
            client.end()
            return held
        self._held[held] = None
        metrics.LIVE_PLACES.inc()
        self.catch_up(held)
        return held

    def leave(self, held: Held) -> None:
        """Removes a client; does nothing the second time."""
        if held in self._held:
            del self._held[held]
            metrics.LIVE_PLACES.dec()
            self._due.pop(held, None)

    def end(self) -> None:
        """Ends the watch of every client."""
        self.has_ended = True
        for held in self.watchers:
            self._dismiss(held)

    def catch_up(self, held: Held) -> None:
        """Writes to a client where it stands, if it is its turn and that is new."""
        if held not in self._held:
            return
        if self._must_ask(held):
            self._due[held] = None
            self.has_due.set()
        if held.client.is_full or not self._has_turn(held):
            return
        held.is_settled = True
        update = update_of(self._queue, self._waiting, held.place)
        if update != held.told:
            held.told = update
            held.client.write(page_of(self.event_id, update))

    def take_due(self, most: int) -> Sequence[Held]:
        """Takes the next places that bookings must be asked about."""
        taken = list(self._due)[:most]
        for held in taken:
            del self._due[held]
            held.asked_at = self._now()
        if not self._due:
            self.has_due.clear()
        return taken

    def give_back(self, taken: Sequence[Held]) -> None:
        """Has bookings asked again, as it did not answer."""
        self._due.update((held, None) for held in taken if held in self._held)
        self.has_due.set()

    def settle(self, held: Held, place: queue_pb2.HeldPlace) -> None:
        """Stores what bookings answered; a token that it does not know any more ends the watch."""
        if place != held.place:
            held.place, held.is_settled = place, False
        if not place.state and held in self._held:
            self._dismiss(held)

    def _dismiss(self, held: Held) -> None:
        self.leave(held)
        held.client.end()

    def _must_ask(self, held: Held) -> bool:
        place = held.place
        if place.state not in OPEN_STATES:
            return False
        seconds = self._now() - held.asked_at
        if place.state == ADMITTED:
            # A booking or the end of the admission changes nothing in the line.
            return seconds >= self._pace.queue_seconds * (1 if len(self._held) <= FIRST else SELDOM)
        if seconds >= self._pace.presence_seconds:
            return True
        if place.state != WAITING or seconds < self._pace.queue_seconds:
            return False
        # It was drawn, or admitted, or it left.
        return place.place not in self._waiting if place.place else self._queue.is_drawn

    def _has_turn(self, held: Held) -> bool:
        position = held.told.position if held.told else None
        if not held.is_settled or position is None or position <= FIRST:
            return True
        return self._beats % SELDOM == held.turn
