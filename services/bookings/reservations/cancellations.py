"""Cancelling bookings by their numbers and references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from google.protobuf.message import Message

from boxoffice.bookings.v1.bookings_pb2 import CancelBookingByReferenceResponse as Response
from services.bookings.access import Viewer
from services.bookings.errors import BookingNotFound
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Cancel, Cancelled, Outcome
from services.bookings.reservations import responses
from services.kit.database import queries
from services.kit.database.idempotency import Key, fingerprint
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import decide_admitted

SQL = queries.load(__file__)
OPERATION = "cancel_booking"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A request to cancel the booking of a reference."""

    reference: UUID
    viewer: Viewer
    request_id: str = ""


class Cancellations:
    """Cancels bookings. Where a booking is never changes, so it is looked up before any lock."""

    def __init__(self, pool: Pool, inventory: Inventory) -> None:
        self._pool = pool
        self._inventory = inventory

    async def cancel(self, booking_id: int) -> int:
        """Cancels a live booking; gives the revision of the inventory that freed its seats.

        Raises BookingNotFound, or AlreadyCancelled for one that is over or whose event is closed.
        """
        async with self._pool.connection() as connection:
            values = {"booking_id": booking_id}
            found = await (await connection.execute(SQL["find_event"], values)).fetchone()
        if found is None:
            raise BookingNotFound
        [outcome] = await self._inventory.decide([Ask(Cancel(found[0], booking_id))])
        if isinstance(outcome, Refusal):
            raise outcome
        if not isinstance(outcome, Cancelled):
            raise TypeError(f"a cancellation cannot end as {outcome}")
        return outcome.rev

    async def cancel_all(
        self, asked: Sequence[Cancellation], *, skip_busy: bool = False
    ) -> list[Message | bytes | Refusal]:
        """Cancels the bookings of references that their viewers may see, once for each key.

        What may not be seen is BookingNotFound, as what does not exist.
        """
        found = await self._find({each.reference for each in asked})
        asks = [_ask(each, found.get(each.reference)) for each in asked]

        async def decide(asks: Sequence[Ask]) -> list[Outcome]:
            return await self._inventory.decide(asks, skip_busy=skip_busy)

        outcomes = await decide_admitted(asks, decide)
        return responses.responded(asks, outcomes, Response)

    async def _find(self, references: set[UUID]) -> Mapping[UUID, "_Found"]:
        async with self._pool.connection() as connection:
            values = {"references": list(references)}
            rows = await (await connection.execute(SQL["find_references"], values)).fetchall()
        return {reference: _Found(*columns) for reference, *columns in rows}


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a booking is, and whose it is."""

    event_id: int
    booking_id: int
    user_id: str
    organizer_id: str | None


def _ask(asked: Cancellation, found: _Found | None) -> Ask | Refusal:
    viewer = asked.viewer
    if found is None or not viewer.sees_by_reference(found.user_id, found.organizer_id):
        return BookingNotFound()
    key: Key | None = None
    if asked.request_id:
        digest = fingerprint(OPERATION, asked.reference)
        key = Key(viewer.key_owner, OPERATION, asked.request_id, digest)
    return Ask(Cancel(found.event_id, found.booking_id), key, responses.cancel_response)
