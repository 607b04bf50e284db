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


class Place(NamedTuple):
    """A booking, by the columns that find it."""

    event_id: int
    booking_id: int


class Ended(NamedTuple):
    """Whether a booking was live and ended just now, and the revision at which it is over."""

    just_now: bool
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
            place = await _lock(connection, "lock_event_of_booking", {"booking_id": booking_id})
            ended = await _cancel(connection, place)
        if not ended.just_now:
            raise AlreadyCancelled(inventory_revision=ended.rev)
        return ended.rev

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
            place = await _lock(connection, "lock_event_of_reference", values)
            failpoint("bookings.cancel.locked")
            ended = await _cancel(connection, place)
            failpoint("bookings.cancel.freed")
            outcome = "CANCELLED" if ended.just_now else AlreadyCancelled.reason
            await idempotency.remember(connection, key, outcome, place, ended.rev)
            booking = await idempotency.shown(connection, place, key)
            failpoint("bookings.cancel.remembered")
        failpoint("bookings.cancel.committed")
        if not ended.just_now:
            raise AlreadyCancelled(inventory_revision=ended.rev)
        return Cancelled(booking, ended.rev, replayed=False)


async def _lock(connection: Connection, statement: str, values: dict[str, object]) -> Place:
    """Takes the lock of a booking's event; raises BookingNotFound."""
    row = await (await connection.execute(SQL[statement], values)).fetchone()
    if row is None:
        raise BookingNotFound
    return Place(*row)


async def _cancel(connection: Connection, place: Place) -> Ended:
    """Cancels a booking, unless it is over."""
    values = place._asdict()
    freed = await (await connection.execute(SQL["cancel_booking"], values)).fetchone()
    if freed:
        return Ended(just_now=True, rev=freed[0])
    # Later than the lock: a hold may have ended meanwhile.
    [rev] = await (await connection.execute(SQL["get_rev"], values)).fetchone() or (0,)
    return Ended(just_now=False, rev=rev)


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
