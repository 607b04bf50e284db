"""Results that the former release stored in columns; they are kept for 24 hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.errors import (
    AlreadyBooked,
    AlreadyCancelled,
    AlreadyWaiting,
    EventNotBookable,
    SoldOut,
)
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import (
    Booked,
    Cancelled,
    Command,
    LeftLine,
    Outcome,
    Waiting,
)
from services.kit.database import queries
from services.kit.database.idempotency import Key, StoredResult
from services.kit.database.postgres import Connection
from services.kit.rpc.errors import Internal, Refusal

SQL = queries.load(__file__)

_REFUSALS: Mapping[str, type[Refusal]] = {
    refusal.reason: refusal
    for refusal in (AlreadyBooked, AlreadyCancelled, AlreadyWaiting, EventNotBookable, SoldOut)
}
_NO_REFERENCE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class OldResult:
    """The outcome of a command as the former release stored it."""

    number: int
    """Index of the key in the query, from 1."""
    outcome: str | None
    event_id: int | None
    booking_id: int | None
    rev: int | None
    snapshot: dict[str, Any] | None
    decided_at: datetime


@dataclass(slots=True)
class _Event:
    name: str
    starts_at: datetime | None


async def read(
    connection: Connection, keys: Sequence[Key], stored: Mapping[int, StoredResult]
) -> Mapping[int, OldResult]:
    """Reads results of the former release; returns them by the index of their key."""
    indices = [index for index, result in stored.items() if result.response is None]
    if not indices:
        return {}
    values = {
        "callers": [keys[index].caller for index in indices],
        "operations": [keys[index].operation for index in indices],
        "keys": [keys[index].key for index in indices],
    }
    cursor = connection.cursor(row_factory=class_row(OldResult))
    await cursor.execute(SQL["read"], values)
    return {indices[old.number - 1]: old for old in await cursor.fetchall()}


def revive(stored: OldResult, command: Command) -> Outcome:
    """Returns the outcome from which the former release wrote a stored result."""
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


def _booking(stored: OldResult, seen: Mapping[str, Any], user_id: str, seat_count: int) -> Booking:
    """Makes a booking from the fields that the stored response shows."""
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
