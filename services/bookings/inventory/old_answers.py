"""Answers that an older release stored, in columns instead of bytes. They are kept for 24 hours."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.bookings.errors import (
    AlreadyBooked,
    AlreadyCancelled,
    AlreadyWaiting,
    EventNotBookable,
    SoldOut,
)
from services.bookings.inventory.answers import Stored
from services.bookings.inventory.commands import (
    Booked,
    Cancelled,
    Command,
    LeftLine,
    Outcome,
    Waiting,
)
from services.bookings.inventory.stock import Booking
from services.kit.rpc.errors import Internal, Refusal

_REFUSALS: Mapping[str, type[Refusal]] = {
    refusal.reason: refusal
    for refusal in (AlreadyBooked, AlreadyCancelled, AlreadyWaiting, EventNotBookable, SoldOut)
}
_NO_REFERENCE = UUID(int=0)


@dataclass(slots=True)
class _Event:
    name: str
    starts_at: datetime | None


def revive(stored: Stored, command: Command) -> Outcome:
    """Makes the outcome that an answer was made of."""
    outcome, snapshot, rev = stored.outcome or "", stored.snapshot or {}, stored.rev or 0
    if outcome in _REFUSALS:
        return _REFUSALS[outcome](
            inventory_revision=rev,
            booking_id=stored.booking_id if outcome == AlreadyBooked.reason else None,
            position=snapshot.get("position"),
            seats_left=snapshot.get("seats_left"),
            replayed="true",
        )
    if outcome == "LEFT":
        return LeftLine(rev, served=int(bool(snapshot.get("promoted"))))
    user_id, seat_count = getattr(command, "user_id", ""), getattr(command, "seat_count", 1)
    if outcome == "WAITING":
        return Waiting(command.event_id, user_id, seat_count, snapshot.get("position") or 1, rev)
    booking = _booking(stored, snapshot, user_id, seat_count)
    event = _Event(snapshot.get("event_name", ""), _moment(snapshot.get("event_starts_at")))
    if outcome == "RESERVED":
        return Booked(booking, event, rev)
    if outcome == "CANCELLED":
        return Cancelled(booking, event, rev, served=int(bool(snapshot.get("promoted"))))
    return Internal()


def _booking(stored: Stored, seen: Mapping[str, Any], user_id: str, seat_count: int) -> Booking:
    """Makes a booking of what was shown of it, as far as it was shown."""
    return Booking(
        seen.get("event_id", stored.event_id),
        stored.booking_id or 0,
        UUID(seen["reference"]) if "reference" in seen else _NO_REFERENCE,
        seen.get("user_id", user_id),
        seen.get("status", "CONFIRMED"),
        exclusive=True,
        seat_count=seen.get("seat_count", seat_count),
        price_amount_minor=seen.get("price_amount_minor"),
        price_currency=seen.get("price_currency"),
        created_at=_moment(seen.get("created_at")) or stored.decided_at,
        expires_at=_moment(seen.get("expires_at")),
        cancelled_at=_moment(seen.get("cancelled_at")),
    )


def _moment(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(written)
