"""What is asked for when seats are booked, and what a deciding statement says to it."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from services.bookings import idempotency
from services.bookings.access import Viewer
from services.bookings.bookings import Booking
from services.bookings.errors import (
    AlreadyBooked,
    AlreadyWaiting,
    EventNotBookable,
    EventNotFound,
    SoldOut,
)
from services.kit.errors import (
    Busy,
    IdempotencyKeyReused,
    Refusal,
    RequestInProgress,
    Unavailable,
)

# Bytes of a random UUID that say what it is (RFC 9562).
_VERSION = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Way:
    """A way of booking: the operation that idempotency keys belong to.

    An exclusive one gives a user one live booking of an event, unless the event says otherwise.
    One that shows bookings answers with the whole booking.
    """

    operation: str
    is_exclusive: bool
    shows_bookings: bool = False
    statement: str = "reserve"


RESERVE = Way("reserve", is_exclusive=True)
CREATE = Way("create_booking", is_exclusive=False, shows_bookings=True)
TICKET = Way("book_ticket", is_exclusive=True, statement="book_tickets")
"""Whoever comes too late waits."""


@dataclass(frozen=True, slots=True)
class Request:
    """Seats of an event for a user, all or none; `key` is the idempotency key, None for none.

    `caller` is whose key it is: an account, or "" for all who have no token. `viewer` is who asks,
    where a draft may be theirs. Those that are decided together go one way.
    """

    event_id: int
    user_id: str
    seat_count: int = 1
    caller: str = ""
    key: str | None = None
    way: Way = RESERVE
    viewer: Viewer | None = None

    @property
    def may_be_of_owner(self) -> bool:
        """Whether they who ask may own the event: nobody in particular owns none."""
        return self.viewer is not None and self.viewer.is_somebody

    @property
    def fingerprint(self) -> bytes:
        """Digest of what is asked: the same key with another one is refused."""
        asked = (self.event_id, self.user_id, self.seat_count)
        return idempotency.fingerprint(self.way.operation, *asked)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Seats that were booked, and the revision of the inventory that it made.

    There may be others than were asked for: an offer is accepted as it was made.
    `booking` is all of it as it was made, where the way of booking shows that.
    """

    booking_id: int
    event_id: int
    user_id: str
    seat_count: int
    created_at: datetime
    rev: int
    replayed: bool
    booking: Booking | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A place in the waiting list of an event that is sold out; `position` counts from 1."""

    event_id: int
    user_id: str
    seat_count: int
    position: int
    rev: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of a statement that decides: what became of item number `item`, counted from 1."""

    item: int
    outcome: str
    booking_id: int | None
    decided_at: datetime | None
    rev: int | None
    replayed: bool
    position: int | None = None
    seat_count: int | None = None
    seats_left: int | None = None


Outcome = Reservation | Waiting | Refusal


def booked(outcome: Outcome) -> Reservation:
    """Gives the reservation where nobody waits; raises what it was refused with."""
    if isinstance(outcome, Refusal):
        raise outcome
    if isinstance(outcome, Waiting):
        raise TypeError("somebody waits who cannot")
    return outcome


def columns(requests: Sequence[Request]) -> dict[str, Any]:
    """Writes requests as a deciding statement takes them: column by column."""
    return {
        "event_ids": [request.event_id for request in requests],
        "user_ids": [request.user_id for request in requests],
        "seat_counts": [request.seat_count for request in requests],
        "callers": [request.caller if request.key else None for request in requests],
        "keys": [request.key for request in requests],
        "fingerprints": [request.fingerprint if request.key else None for request in requests],
        "uuids": _random_uuids(len(requests)),
        "way": requests[0].way.operation,
        "exclusive_way": requests[0].way.is_exclusive,
    }


def _random_uuids(count: int) -> list[str]:
    """Draws UUIDs of version 4 at once: one at a time they are a good part of what a seat costs."""
    drawn = bytearray(os.urandom(16 * count))
    drawn[6::16] = drawn[6::16].translate(_VERSION)
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    written = drawn.hex()
    return [written[start : start + 32] for start in range(0, len(written), 32)]


def outcomes(requests: Sequence[Request], decisions: Sequence[Decision]) -> list[Outcome]:
    """Reads what a deciding statement gave, in the order of the requests.

    Requests that are refused alike share their refusal: a full event has many of them.
    """
    refused = cache(_refusal)

    def outcome(request: Request, decision: Decision) -> Outcome:
        if decision.outcome == "RESERVED":
            return _reservation(request, decision)
        if decision.outcome == "WAITING":
            return _waiting(request, decision)
        return refused(
            decision.outcome,
            (decision.rev, decision.booking_id, decision.position, decision.seats_left),
            decision.replayed,
        )

    return [
        outcome(request, decision) for request, decision in zip(requests, decisions, strict=True)
    ]


def _refusal(outcome: str, facts: tuple[int | None, ...], replayed: bool) -> Refusal:
    if outcome == EventNotFound.reason:
        # Not a word more: an event that one may not see must look like none at all.
        return EventNotFound()
    rev, booking_id, position, seats_left = facts
    return _REFUSALS[outcome](
        inventory_revision=rev,
        booking_id=booking_id,
        position=position,
        seats_left=seats_left,
        replayed="true" if replayed else None,
    )


def _waiting(request: Request, decision: Decision) -> Waiting:
    if decision.position is None or decision.rev is None:
        raise ValueError("a place in line without a position")
    return Waiting(
        request.event_id,
        request.user_id,
        request.seat_count,
        decision.position,
        decision.rev,
        decision.replayed,
    )


def _reservation(request: Request, decision: Decision) -> Reservation:
    if decision.booking_id is None or decision.decided_at is None or decision.rev is None:
        raise ValueError("a reservation without a booking")
    return Reservation(
        decision.booking_id,
        request.event_id,
        request.user_id,
        decision.seat_count or request.seat_count,
        decision.decided_at,
        decision.rev,
        decision.replayed,
    )


class UnknownEvent(Unavailable):
    """The event is not known here, and the catalogue could not be asked."""


_REFUSALS: Mapping[str, type[Refusal]] = {
    refusal.reason: refusal
    for refusal in (
        EventNotFound,
        EventNotBookable,
        AlreadyBooked,
        AlreadyWaiting,
        SoldOut,
        IdempotencyKeyReused,
        RequestInProgress,
    )
} | {"UNKNOWN_EVENT": UnknownEvent, "BUSY": Busy}
