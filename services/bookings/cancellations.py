"""Cancelling a booking: its seats are free again in the same transaction, exactly once."""

from services.bookings.errors import AlreadyCancelled, BookingNotFound
from services.kit import queries
from services.kit.postgres import Pool

SQL = queries.load(__file__)


class Cancellations:
    """Cancels bookings."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def cancel(self, booking_id: int) -> int:
        """Cancels a live booking; gives the revision of the inventory that freed its seats.

        Raises BookingNotFound, or AlreadyCancelled for one that is over or whose event is closed.
        """
        values = {"booking_id": booking_id}
        async with self._pool.connection() as connection, connection.transaction():
            event = await connection.execute(SQL["lock_event_of_booking"], values)
            locked = await event.fetchone()
            if locked is None:
                raise BookingNotFound
            cancelled = await connection.execute(
                SQL["cancel_booking"], values | {"event_id": locked[0]}
            )
            freed = await cancelled.fetchone()
            if freed is None:
                raise AlreadyCancelled
            rev: int = freed[0]
            return rev
