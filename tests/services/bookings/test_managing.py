"""What organizers and admins do with the bookings of others is in the audit log."""

from collections.abc import Iterator

import psycopg
import pytest

from boxoffice.bookings.v1 import bookings_pb2, seats_pb2, waiting_list_pb2
from boxoffice.rest.v1 import batch_pb2
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.batch_items import item
from tests.services.bookings.seats.cinema import OWNER, Cinema, open_cinema
from tests.services.bookings.serving import refused
from tests.services.issuer import account

ADA, ADMIN = account("ada"), account("admin")
ENTRIES = """
    SELECT actor, action, target, outcome, created
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
        (OWNER, "SeatsService.ReleaseSeats", f"booking/{guest.booking_id}", "ok", None),
        (ADMIN, cancelled, f"booking/{second.booking_id}", "ok", None),
        (ADMIN, cancelled, f"booking/{first.booking_id}", "already_cancelled", None),
    ]


async def test_what_an_admin_does_in_the_name_of_a_user_is_recorded(
    database: Database, owner: psycopg.Connection
) -> None:
    """Nobody could say who booked for a user, released their seats or took them off a list."""
    async with open_cinema(database) as cinema:
        admin = cinema.issuer.bearer(ADMIN, Role.ADMIN)
        cinema.running.catalogue.put(2, total_seats=1, key="gig")

        async def reserve(key: str) -> int:
            request = bookings_pb2.ReserveRequest(event_id=2, user_id="guest", request_id=key)
            response = await cinema.running.bookings.Reserve(request, metadata=admin)
            return int(response.reservation.booking_id)

        async def do(name: str, user_id: str) -> None:
            request = getattr(waiting_list_pb2, f"{name}Request")(event_id="gig", user_id=user_id)
            await getattr(cinema.running.waiting_list, name)(request, metadata=admin)

        seat = seats_pb2.HoldSeatsRequest(screening_id=1, user_id=ADA, seat_ids=[1])
        held = (await cinema.call("HoldSeats", seat, ADMIN, Role.ADMIN)).reservation.booking_id
        release = seats_pb2.ReleaseUserSeatsRequest(screening_id=1, user_id=ADA)
        await cinema.call("ReleaseUserSeats", release, ADMIN, Role.ADMIN)
        booked = await reserve("once")
        assert await reserve("once") == booked
        await do("Book", ADA)
        await do("Cancel", ADA)
        await do("Cancel", "guest")
        await do("Book", ADMIN)
        assert (await refused(reserve("again"))).reason == "SOLD_OUT"
    reserved, line = "BookingsService.Reserve", "WaitingListService"
    assert owner.execute(ENTRIES).fetchall() == [
        (ADMIN, "SeatsService.HoldSeats", f"event/1/user/{ADA}", "ok", f"booking/{held}"),
        (ADMIN, "SeatsService.ReleaseUserSeats", f"event/1/user/{ADA}", "ok", None),
        (ADMIN, reserved, "event/2/user/guest", "ok", f"booking/{booked}"),
        (ADMIN, reserved, "event/2/user/guest", "ok", None),
        (ADMIN, f"{line}.Book", f"event/2/user/{ADA}", "ok", None),
        (ADMIN, f"{line}.Cancel", f"event/2/user/{ADA}", "ok", None),
        (ADMIN, f"{line}.Cancel", "event/2/user/guest", "ok", None),
        (ADMIN, reserved, "event/2/user/guest", "sold_out", None),
    ]


async def test_buyers_of_a_batch_do_not_wait_for_the_audit_log(
    database: Database, owner: psycopg.Connection
) -> None:
    """One admin could hold up a sale, and have a second entry where an event was locked."""
    async with open_cinema(database) as cinema:
        cinema.running.catalogue.put(2)
        [(_, authorization)] = cinema.issuer.bearer(ADMIN, Role.ADMIN)
        request = bookings_pb2.ReserveRequest(event_id=2, user_id="guest")
        batch = batch_pb2.BatchRequest(
            items=[item(request, authorization), item(request)], skip_busy=True
        )
        managed, own = (await cinema.running.batches.Batch(batch)).results
        assert (managed.busy, own.WhichOneof("result")) == (True, "response")
    assert owner.execute(ENTRIES).fetchall() == []


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
