"""Cancelling bookings by their numbers and references."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.asks import expect, idempotency_key
from services.bookings.errors import BookingNotFound
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Cancel, Cancelled
from services.bookings.managing import ManagedAsk
from services.bookings.references import BookingName, FoundBooking, find_bookings
from services.bookings.reservations import messages
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A request to cancel the booking of a reference."""

    reference: UUID
    viewer: Viewer
    request_id: str = ""


class Cancellations:
    """Cancels bookings. The event of a booking never changes, so it is read before any lock."""

    def __init__(self, pool: Pool, inventory: Inventory) -> None:
        self._pool = pool
        self._inventory = inventory

    async def cancel(self, booking_id: int) -> int:
        """Cancels a live booking for an operator; returns the revision that freed its seats.

        Its money is given back. Raises BookingNotFound, or AlreadyCancelled for one that is over or
        whose event is closed.
        """
        name = BookingName(booking_id=booking_id)
        found = (await find_bookings(self._pool, [name])).get(name)
        if found is None:
            raise BookingNotFound
        command = Cancel(found.event_id, booking_id, by_organizer=True)
        [outcome] = await self._inventory.decide([Ask(command)])
        return expect(outcome, Cancelled).rev

    async def asks_of(self, cancellations: Sequence[Cancellation]) -> list[Ask | Refusal]:
        """Finds the bookings to cancel; returns BookingNotFound if the viewer may not see one."""
        names = [BookingName(each.reference) for each in cancellations]
        found = await find_bookings(self._pool, names)
        return [
            _ask(each, found.get(name)) for each, name in zip(cancellations, names, strict=True)
        ]


def _ask(asked: Cancellation, found: FoundBooking | None) -> Ask | Refusal:
    if found is None or not found.is_visible_to(asked.viewer):
        return BookingNotFound()
    viewer = asked.viewer
    key = idempotency_key(viewer, "cancel_booking", asked.request_id, asked.reference)
    by_organizer = viewer.manages(found.user_id, found.organizer_id)
    command = Cancel(found.event_id, found.booking_id, by_organizer)
    return (ManagedAsk if by_organizer else Ask)(command, key, messages.cancel_response)
