"""What the holder of a place is told."""

from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from boxoffice.bookings.v1 import queue_pb2
from gateway.codec.response import timestamp
from gateway.live.events import Event, now
from gateway.live.pages import Page
from services.kit.ranked_set import RankedSet

WAITING = queue_pb2.QUEUE_STATE_WAITING
ADMITTED = queue_pb2.QUEUE_STATE_ADMITTED


class Update(NamedTuple):
    """Where the holder of a place stands; `enabled` is whether the queue is on."""

    enabled: bool
    state: str
    position: int | None = None
    wait_seconds: int | None = None
    admitted_until: str | None = None


def update_of(
    queue: queue_pb2.WatchQueueResponse, waiting: RankedSet, place: queue_pb2.HeldPlace
) -> Update:
    """Returns where the holder of a place stands: GetQueue counts likewise."""
    state = queue_pb2.QueueState.Name(place.state).removeprefix("QUEUE_STATE_")
    if place.state == ADMITTED:
        return Update(queue.enabled, state, 0, 0, timestamp(place.admitted_until))
    if place.state == WAITING and place.place and queue.is_drawn:
        position = waiting.rank(place.place) + 1
        return Update(queue.enabled, state, position, _wait_seconds(queue, position))
    return Update(queue.enabled, state)


def page_of(event_id: int, update: Update) -> Page:
    """Returns the event `queue_update`, which has no revision: it is about one client alone."""
    shown = {
        "screening_id": event_id,
        "enabled": update.enabled,
        "state": update.state,
        "position": update.position,
        "estimated_wait_seconds": update.wait_seconds,
        "admitted_until": update.admitted_until,
        "timestamp": now(),
    }
    return Page((Event("queue_update", 0, 0, orjson.dumps(shown)),), 0)


def _wait_seconds(queue: queue_pb2.WatchQueueResponse, position: int) -> int | None:
    if not queue.admissions_per_minute:
        return None
    seconds = position * 60 / queue.admissions_per_minute
    if queue.HasField("opens_at"):
        opens_at = queue.opens_at.ToDatetime(UTC)
        seconds += max(0.0, (opens_at - datetime.now(UTC)).total_seconds())
    return round(seconds)
