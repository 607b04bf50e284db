"""Messages of queues."""

import hashlib
import secrets
from collections.abc import Iterator, Sequence

from boxoffice.bookings.v1 import queue_pb2
from services.bookings.inventory.queue_commands import QueueSettings
from services.bookings.queue.queues import Entry, Joined, Place
from services.bookings.queue.standings import Standing
from services.bookings.queue.tail import QueueChange
from services.bookings.queue.watching import LineUpdate
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.timestamps import moment, timestamp

SEED_BYTES = 32
MOST_PLACES = 100_000
"""Places in one response, so that no message is too large."""


def settings(request: queue_pb2.SetQueueRequest) -> QueueSettings:
    """Reads the settings that a request names. Raises ValidationFailed."""
    try:
        opens_at = moment(request, "opens_at")
    except (ValueError, OverflowError) as error:
        violation = Violation("opens_at", "must be a time in the years 1 to 9999")
        raise ValidationFailed(violations=[violation]) from error
    return QueueSettings(
        secrets.token_bytes(SEED_BYTES),
        opens_at,
        request.rate_per_minute if request.HasField("rate_per_minute") else None,
        request.max_active if request.HasField("max_active") else None,
        request.admission_seconds if request.HasField("admission_seconds") else None,
    )


def queue(event_id: int, standing: Standing | None, place: Place | None = None) -> queue_pb2.Queue:
    """Writes the queue of an event; one that never had a queue is off."""
    if standing is None:
        return queue_pb2.Queue(event_id=event_id)
    stored = standing.queue
    return queue_pb2.Queue(
        event_id=event_id,
        enabled=stored.enabled,
        opens_at=timestamp(stored.opens_at),
        rate_per_minute=stored.rate_per_minute,
        max_active=stored.max_active,
        admission_seconds=stored.admission_seconds,
        waiting=standing.waiting,
        active=stored.active,
        seed_hash=hashlib.sha256(stored.seed).hexdigest(),
        seed=stored.seed.hex() if stored.is_drawn else "",
        you=None if place is None else _place(place),
    )


def join_response(joined: Joined) -> queue_pb2.JoinQueueResponse:
    """Writes the place of somebody who has joined, with their token."""
    place = joined.place
    return queue_pb2.JoinQueueResponse(
        joined=queue_pb2.JoinedQueue(
            queue_token=joined.token,
            position=place.position,
            estimated_wait_seconds=place.wait_seconds,
        )
    )


def responses(update: LineUpdate) -> Iterator[queue_pb2.WatchQueueResponse]:
    """Writes an update as one response, or as several if its changes have very many places."""
    last = update.seq - len(update.changes)
    *parts, rest = _parts(update.changes)
    for part in parts:
        last += len(part)
        yield _response(update, part, last)
    yield _response(update, rest, update.seq)


def held_place(entry: Entry | None) -> queue_pb2.HeldPlace:
    """Writes what the holder of a token has."""
    if entry is None:
        return queue_pb2.HeldPlace()
    return queue_pb2.HeldPlace(
        state=_state(entry.state),
        place=entry.place,
        admitted_until=timestamp(entry.admitted_until),
    )


def _response(
    update: LineUpdate, changes: Sequence[QueueChange], seq: int
) -> queue_pb2.WatchQueueResponse:
    line = update.line
    state = update.state
    return queue_pb2.WatchQueueResponse(
        line=None if line is None else queue_pb2.QueueLine(waiting=line.places.to_bytes()),
        changes=[
            queue_pb2.QueueLineChange(waits=each.waits, places=each.places) for each in changes
        ],
        seq=seq,
        enabled=state.enabled,
        is_drawn=state.is_drawn,
        opens_at=timestamp(state.opens_at),
        admissions_per_minute=state.per_minute,
    )


def _parts(changes: Sequence[QueueChange]) -> Iterator[Sequence[QueueChange]]:
    """Cuts changes into one or more parts of at most MOST_PLACES places, or of one change."""
    part: list[QueueChange] = []
    places = 0
    for change in changes:
        places += len(change.places)
        if part and places > MOST_PLACES:
            yield part
            part, places = [], len(change.places)
        part.append(change)
    yield part


def _state(name: str) -> queue_pb2.QueueState.ValueType:
    return queue_pb2.QueueState.Value(f"QUEUE_STATE_{name}")


def _place(place: Place) -> queue_pb2.QueuePlace:
    return queue_pb2.QueuePlace(
        state=_state(place.state),
        position=place.position,
        estimated_wait_seconds=place.wait_seconds,
        admitted_until=timestamp(place.admitted_until),
    )
