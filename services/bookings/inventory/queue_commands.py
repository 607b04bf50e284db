"""The command about the queue of an event, and what the core knows of those it has admitted."""

from dataclasses import dataclass
from datetime import datetime

from services.bookings.access import Viewer


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """When a queue opens and how many it admits; None leaves a setting as it is.

    `seed` is what places are drawn by, if the event has had no queue yet.
    """

    seed: bytes
    opens_at: datetime | None = None
    rate_per_minute: int | None = None
    max_active: int | None = None
    admission_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class SetQueue:
    """Switch the queue of an event on or off, and set it."""

    event_id: int
    enabled: bool
    settings: QueueSettings
    viewer: Viewer | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A user whom the queue has admitted. `secret_hash` is the SHA-256 of their token."""

    event_id: int
    user_id: str
    secret_hash: bytes
    until: datetime
