"""What organizers and admins do with the bookings of others is in the audit log."""

from collections.abc import Iterator

import psycopg
import pytest

from boxoffice.bookings.v1 import bookings_pb2
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.bookings.seats.cinema import OWNER, Cinema, open_cinema
from tests.services.bookings.serving import refused
from tests.services.issuer import account

ADA, ADMIN = account("ada"), account("admin")
ENTRIES = """
    SELECT actor, action, target, outcome
    FROM bookings.audit_entries AS entry
    LEFT JOIN bookings.audit_outcomes AS result ON result.entry_id = entry.id
    ORDER BY entry.id
"""


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """Returns a connection of the owner of the tables."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        yield connection


async def cancel(cinema: Cinema, reference: str, who: str = "", role: str = Role.USER) -> None:
    """Cancels a booking by its reference."""
    metadata = cinema.issuer.bearer(who, role) if who else None
    request = bookings_pb2.CancelBookingByReferenceRequest(reference=reference)
    await cinema.running.bookings.CancelBookingByReference(request, metadata=metadata)


async def test_only_what_is_done_to_others_is_recorded(
    database: Database, owner: psycopg.Connection
) -> None:
    """Nobody could say who cancelled a booking, or every buyer would pay for the log."""
    async with open_cinema(database) as cinema:
        guest = (await cinema.hold(1)).reservation
        own = (await cinema.hold(2, who=ADA)).reservation
        for reservation, who in ((own, ADA), (guest, OWNER)):
            await cinema.release(reservation.reservation_id, who)
        first, second = [(await cinema.hold(n)).reservation for n in (3, 4)]
        await cancel(cinema, first.reservation_id)
        await cancel(cinema, second.reservation_id, ADMIN, Role.ADMIN)
        late = await refused(cancel(cinema, first.reservation_id, ADMIN, Role.ADMIN))
        assert late.reason == "ALREADY_CANCELLED"
    cancelled = "BookingsService.CancelBookingByReference"
    assert owner.execute(ENTRIES).fetchall() == [
        (OWNER, "SeatsService.ReleaseSeats", f"booking/{guest.booking_id}", "ok"),
        (ADMIN, cancelled, f"booking/{second.booking_id}", "ok"),
        (ADMIN, cancelled, f"booking/{first.booking_id}", "already_cancelled"),
    ]


async def test_nothing_is_done_to_others_that_cannot_be_recorded(
    database: Database, owner: psycopg.Connection
) -> None:
    """A full disk could let an organizer cancel bookings without an entry."""
    async with open_cinema(database) as cinema:
        reference = (await cinema.hold(1)).reservation.reservation_id
        owner.execute("REVOKE INSERT ON bookings.audit_entries FROM boxoffice_bookings")
        try:
            refusal = await refused(cancel(cinema, reference, OWNER, Role.ORGANIZER))
        finally:
            owner.execute("GRANT INSERT ON bookings.audit_entries TO boxoffice_bookings")
        assert refusal.reason == "UNAVAILABLE"
        assert (await cinema.statuses())[0] == "HELD"
