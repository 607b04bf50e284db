"""Cancelling a booking: its seats are free again in the same transaction, exactly once."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from services.bookings import idempotency
from services.bookings.access import Viewer
from services.bookings.bookings import Booking
from services.bookings.errors import AlreadyCancelled, BookingNotFound
from services.bookings.idempotency import Key, Stored
from services.kit import queries
from services.kit.failpoints import failpoint
from services.kit.postgres import Connection, Pool

SQL = queries.load(__file__)
OPERATION = "cancel_booking"


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A booking as it was cancelled, and the revision of the inventory that freed its seats."""

    booking: Booking
    rev: int
    replayed: bool


class Locked(NamedTuple):
    """A booking whose event is locked, and the revision at which it is."""

    event_id: int
    booking_id: int
    rev: int


class Cancellations:
    """Cancels bookings."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def cancel(self, booking_id: int) -> int:
        """Cancels a live booking; gives the revision of the inventory that freed its seats.

        Raises BookingNotFound, or AlreadyCancelled for one that is over or whose event is closed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            locked = await _lock(connection, "lock_event_of_booking", {"booking_id": booking_id})
            rev = await _cancel(connection, locked)
        if rev is None:
            raise AlreadyCancelled(inventory_revision=locked.rev)
        return rev

    async def cancel_by_reference(
        self, reference: UUID, viewer: Viewer, request_id: str
    ) -> Cancelled:
        """Cancels a live booking that the viewer may see, once for each idempotency key.

        Raises BookingNotFound, AlreadyCancelled as `cancel` does, RequestInProgress and
        IdempotencyKeyReused.
        """
        key = _key(reference, viewer, request_id)
        values = {"reference": reference, **viewer.rows(guests=True)}
        async with self._pool.connection() as connection, connection.transaction():
            if key and (stored := await idempotency.claim(connection, key)):
                return await _replay(connection, key, stored)
            locked = await _lock(connection, "lock_event_of_reference", values)
            failpoint("bookings.cancel.locked")
            rev = await _cancel(connection, locked)
            failpoint("bookings.cancel.freed")
            outcome = "CANCELLED" if rev else AlreadyCancelled.reason
            place = (locked.event_id, locked.booking_id)
            await idempotency.remember(connection, key, outcome, place, rev or locked.rev)
            booking = await idempotency.shown(connection, place, key)
            failpoint("bookings.cancel.remembered")
        failpoint("bookings.cancel.committed")
        if rev is None:
            raise AlreadyCancelled(inventory_revision=locked.rev)
        return Cancelled(booking, rev, replayed=False)


async def _lock(connection: Connection, statement: str, values: dict[str, object]) -> Locked:
    """Takes the lock of a booking's event; raises BookingNotFound."""
    row = await (await connection.execute(SQL[statement], values)).fetchone()
    if row is None:
        raise BookingNotFound
    return Locked(*row)


async def _cancel(connection: Connection, locked: Locked) -> int | None:
    """Cancels a booking and gives the revision it made; None for one that is over."""
    values = {"event_id": locked.event_id, "booking_id": locked.booking_id}
    freed = await (await connection.execute(SQL["cancel_booking"], values)).fetchone()
    return freed[0] if freed else None


async def _replay(connection: Connection, key: Key, stored: Stored) -> Cancelled:
    if stored.outcome == AlreadyCancelled.reason:
        raise AlreadyCancelled(inventory_revision=stored.rev, replayed="true")
    booking = await idempotency.recalled(connection, key)
    return Cancelled(booking, stored.rev, replayed=True)


def _key(reference: UUID, viewer: Viewer, request_id: str) -> Key | None:
    if not request_id:
        return None
    asked = idempotency.fingerprint(OPERATION, reference)
    return Key(viewer.key_owner, OPERATION, request_id, asked)
