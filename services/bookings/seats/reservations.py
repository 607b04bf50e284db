"""Holds, reads and releases seats."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.errors import ReservationNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.seat_commands import BlockSeats, Hold, Release, ReleaseUser
from services.bookings.managing import ask_type
from services.bookings.references import BookingName, FoundBooking, find_bookings
from services.bookings.seats import messages
from services.bookings.seats.map_messages import explain
from services.bookings.seats.screening import SeatReservation
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A request to release the seats of a reservation."""

    reference: UUID
    viewer: Viewer
    request_id: str = ""


class SeatReservations:
    """Finds reservations by reference, the secret of a guest."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, reference: UUID, viewer: Viewer) -> SeatReservation:
        """Reads a reservation; raises ReservationNotFound unless the viewer may see it."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(SeatReservation))
            await cursor.execute(SQL["get_reservation"], {"reference": reference})
            found = await cursor.fetchone()
        if found is None or not viewer.sees_by_reference(found.user_id, found.organizer_id):
            raise ReservationNotFound
        return found

    async def releases_of(self, requests: Sequence[ReleaseRequest]) -> list[Ask | Refusal]:
        """Finds what to release; returns ReservationNotFound if the viewer may not see one."""
        names = [BookingName(request.reference) for request in requests]
        found = await find_bookings(self._pool, names)
        return [
            _release(request, found.get(name))
            for request, name in zip(requests, names, strict=True)
        ]


def hold(command: Hold, viewer: Viewer, request_id: str) -> Ask:
    """Makes an ask to hold seats."""
    content = (
        command.event_id,
        command.user_id,
        list(command.seat_ids),
        command.best and astuple(command.best),
        command.require_all,
        command.suggests_alternatives,
    )
    key = idempotency_key(viewer, "hold_seats", request_id, *content)
    return ask_type(viewer, command.user_id)(command, key, messages.hold_response, explain)


def release_user(event_id: int, user_id: str, viewer: Viewer, request_id: str) -> Ask:
    """Makes an ask to release all seats that a user holds."""
    key = idempotency_key(viewer, "release_user_seats", request_id, event_id, user_id)
    command = ReleaseUser(event_id, user_id, viewer)
    return ask_type(viewer, user_id)(command, key, messages.release_user_response)


def block(event_id: int, seat_ids: Sequence[int], viewer: Viewer, request_id: str) -> Ask:
    """Makes an ask to block exactly these seats."""
    key = idempotency_key(viewer, "set_blocked_seats", request_id, event_id, sorted(seat_ids))
    command = BlockSeats(event_id, seat_ids, viewer)
    return Ask(command, key, messages.block_response, explain)


def _release(request: ReleaseRequest, found: FoundBooking | None) -> Ask | Refusal:
    if found is None or not found.has_assigned_seats or not found.is_visible_to(request.viewer):
        return ReservationNotFound()
    key = idempotency_key(request.viewer, "release_seats", request.request_id, request.reference)
    ask = ask_type(request.viewer, found.user_id, found.organizer_id)
    return ask(Release(found.event_id, found.booking_id), key, messages.release_response)
