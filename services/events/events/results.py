"""Results of the requests that find, create, change and delete events."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from services.events.events.revisions import Event
from services.events.idempotency import IncompleteResult, Replayed, Undecided
from services.kit.rpc.errors import Refusal


@dataclass(frozen=True, slots=True)
class EventDetails:
    """An event as clients see it; `available_seats` is None when bookings cannot be asked."""

    event: Event
    available_seats: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when an event is; `venue` and `room` are empty if there is none."""

    revision: int
    starts_at: datetime | None
    ends_at: datetime | None
    time_zone: str
    venue: str
    room: str


@dataclass(frozen=True, slots=True)
class CreatedEvent:
    """A new event: all its seats are available."""

    event: Event


@dataclass(frozen=True, slots=True)
class InitializedEvent:
    """A new or an earlier event; counts are None when bookings cannot be asked."""

    event: Event
    is_new: bool
    available_seats: int | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class DeletedEvent:
    """A deleted event, and how many live bookings were cancelled with it."""

    event_id: int
    cancelled_bookings: int


@dataclass(frozen=True, slots=True)
class ExistingEvent(Undecided):
    """The event to initialize exists; bookings must count its seats first."""

    event_id: int


@dataclass(frozen=True, slots=True)
class PendingChange(Undecided):
    """An intent to change an event is stored; bookings must decide it first.

    `revision` is the one that it will have; None for the intent of an earlier request.
    """

    revision: int | None = None


Result = EventDetails | CreatedEvent | InitializedEvent | DeletedEvent | Refusal
"""A final result."""

Outcome = Result | Replayed | Undecided | IncompleteResult[EventDetails]
"""The result of the transaction of a request."""

ResultT = TypeVar("ResultT", EventDetails, CreatedEvent, InitializedEvent, DeletedEvent)


def expect(outcome: Outcome, expected: type[ResultT]) -> ResultT | Replayed:
    """Returns a success of the expected kind, or its replay; raises a refusal."""
    if isinstance(outcome, Refusal):
        raise outcome
    if not isinstance(outcome, expected | Replayed):
        raise TypeError(f"not a result of this request: {outcome}")
    return outcome
