"""Messages of queues."""

import hashlib
import secrets

from boxoffice.bookings.v1 import queue_pb2
from services.bookings.inventory.queue_commands import QueueSettings
from services.bookings.queue.queues import Joined, Place
from services.bookings.queue.standings import Standing
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.timestamps import moment, timestamp

SEED_BYTES = 32


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


def _place(place: Place) -> queue_pb2.QueuePlace:
    return queue_pb2.QueuePlace(
        state=queue_pb2.QueueState.Value(f"QUEUE_STATE_{place.state}"),
        position=place.position,
        estimated_wait_seconds=place.wait_seconds,
        admitted_until=timestamp(place.admitted_until),
    )
