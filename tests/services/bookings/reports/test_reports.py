import asyncio
from typing import Any

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue.plans import Plans
from services.bookings.inventory import Inventory
from services.bookings.payments.provider import Status
from services.bookings.reports.reports import Report, Reports
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import SERVICE
from tests.conftest import Database
from tests.pools import PATIENT, patient_pool
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import PRICE, ScriptedProvider
from tests.services.bookings.rooms import Rooms
from tests.services.conditions import until_blocked

ANYBODY = Viewer(SERVICE, open_access=False)


@pytest.fixture
def reports(pool: Pool) -> Reports:
    """Returns the reports."""
    return Reports(pool, Plans(pool, Rooms().fetch))


def progress(report: Report) -> dict[str, tuple[int, int]]:
    """Returns how many refunds there are by status, and their sums."""
    [euros] = report.refunds
    return dict(euros.by_status)


async def test_a_cancelled_event_shows_how_far_its_refunds_are(
    desk: Desk, provider: ScriptedProvider, inventory: Inventory, reports: Reports
) -> None:
    """An organizer could not tell whether everybody has their money back."""
    for _ in range(3):
        await desk.start(await desk.begin())
    cancelled = concert(1, rev=2, status="CANCELLED", one_booking_per_user=False)
    await inventory.apply(cancelled)
    assert progress(await reports.get(1, ANYBODY)) == {"DUE": (3, 3 * PRICE)}
    await inventory.refund_chunk()
    report = await reports.get(1, ANYBODY)
    assert progress(report) == {"DUE": (3, 3 * PRICE)}
    [takings] = report.takings
    assert (takings.revenue.refund_due, takings.revenue.net) == (3 * PRICE, 0)
    assert report.bookings == {"CANCELLED": 3}
    await desk.make_due()
    await desk.refunds.pay_back()
    provider.refunded = Status.FAILED
    await desk.refunds.pay_back()
    assert progress(await reports.get(1, ANYBODY)) == {
        "DUE": (1, PRICE),
        "REFUNDED": (1, PRICE),
        "FAILED": (1, PRICE),
    }


async def test_a_report_is_of_one_moment(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Seats and bookings would not add up while tickets are being sold."""
    await inventory.apply(concert(1))
    _put_a_gate_into_reads(database)
    async with (
        patient_pool(database.bookings_dsn, schema="bookings", size=1, session=PATIENT) as pool,
        await psycopg.AsyncConnection.connect(database.owner_dsn) as gate,
    ):
        await gate.execute("SELECT pg_advisory_xact_lock(1)")
        reports = Reports(pool, Plans(pool, Rooms().fetch))
        reading = asyncio.create_task(reports.get(1, ANYBODY))
        await until_blocked(gate, 1)
        await booked(reservations, [seat(1, "ada")])
        await gate.rollback()
        report: Any = await reading
        assert (report.event.sold, report.bookings) == (0, {})
        again = await reports.get(1, ANYBODY)
        assert (again.event.sold, again.bookings) == (1, {"CONFIRMED": 1})


def _put_a_gate_into_reads(database: Database) -> None:
    """Makes each read-only transaction wait for an advisory lock when it reads the time."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute("""
            CREATE OR REPLACE FUNCTION present() RETURNS timestamptz LANGUAGE plpgsql VOLATILE
            AS $$
            BEGIN
                IF current_setting('transaction_read_only')::boolean THEN
                    PERFORM pg_advisory_xact_lock_shared(1);
                END IF;
                RETURN clock_timestamp();
            END;
            $$
        """)
