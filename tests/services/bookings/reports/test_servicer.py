import csv
import io
from datetime import timedelta
from typing import Any

from boxoffice.bookings.v1 import payments_pb2, reports_pb2
from boxoffice.events.v1 import events_pb2
from boxoffice.type.v1 import money_pb2
from services.bookings.reports.sheets import Sheets
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import Role
from tests.services.bookings.payments.conftest import Till
from tests.services.bookings.serving import refused
from tests.services.bookings.tickets.conftest import (
    CONCERT,
    FREE,
    OWNER,
    SCREENING,
    STARTS_AT,
    Hall,
)
from tests.services.issuer import account

PRICE = 900
HOSTILE = '=HYPERLINK("http://evil","a;=1")'


async def call(hall: Hall, name: str, event_id: int, who: str = OWNER) -> Any:
    """Calls an RPC of reports as an organizer."""
    request = {
        "GetEventReport": reports_pb2.GetEventReportRequest,
        "RenderEventReport": reports_pb2.RenderEventReportRequest,
    }[name](event_id=event_id)
    metadata = hall.issuer.bearer(who, Role.ORGANIZER)
    called = getattr(hall.running.reports, name)(request, metadata=metadata)
    return await called if name == "GetEventReport" else [part async for part in called]


async def report(hall: Hall, event_id: int) -> Any:
    """Gets the report of an event."""
    return (await call(hall, "GetEventReport", event_id)).report


async def sheet(hall: Hall, event_id: int) -> list[dict[str, str]]:
    """Gets the bookings of an event from its CSV."""
    parts = await call(hall, "RenderEventReport", event_id)
    text = b"".join(part.body.data for part in parts).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def amounts(revenue: Any) -> tuple[int, int, int, int]:
    """Returns the amounts of revenue."""
    figures = revenue.gross, revenue.refunded, revenue.refund_due, revenue.net
    assert {figure.currency for figure in figures} == {"EUR"}
    return tuple(figure.amount_minor for figure in figures)


async def refund(till: Till, payment: Any, amount_minor: int) -> None:
    """Refunds a part of a payment; waits until it is paid back."""
    await till.refund(
        payment.payment_id, amount=money_pb2.Money(amount_minor=amount_minor, currency="EUR")
    )
    await till.until_it_is(payments_pb2.PAYMENT_STATUS_SUCCEEDED, payment)


async def test_a_report_adds_up_what_was_sold_and_earned(till: Till) -> None:
    """An organizer could be shown figures that contradict each other, or the payments."""
    pair, single = await till.hall.hold(1, 2), await till.hall.hold(3, who=account("ada"))
    paid = await till.paid(reservation_id=pair)
    await refund(till, paid, 500)
    await till.hall.create(reservation_id=single, who=account("ada"))
    found = await report(till.hall, SCREENING)
    seats = found.seats
    assert (seats.total, seats.sold, seats.held, seats.blocked, seats.left) == (8, 2, 1, 0, 5)
    assert (found.bookings.confirmed, found.bookings.held) == (1, 1)
    assert (found.tickets.valid, found.tickets.awaiting_payment) == (1, 1)
    whole = (2 * PRICE, 500, 0, 2 * PRICE - 500)
    [revenue], [day], [provider] = found.revenue, found.revenue_by_day, found.revenue_by_provider
    assert amounts(revenue) == amounts(day.revenue) == amounts(provider.revenue) == whole
    assert (provider.provider, provider.payments, day.payments) == ("sandbox", 1, 1)
    [[settled]] = till.execute("SELECT (settled_at AT TIME ZONE 'UTC')::date FROM payments")
    assert day.day == settled.isoformat()
    [regular] = found.seat_types
    assert (regular.seat_type, regular.total, regular.sold) == ("REGULAR", 8, 2)
    assert [amounts(one) for one in regular.revenue] == [whole]
    [refunds] = found.refunds
    assert (refunds.refunded.count, refunds.refunded.amount.amount_minor) == (1, 500)
    assert (refunds.total.count, refunds.due.count, refunds.failed.count) == (1, 0, 0)


async def test_tickets_are_counted_as_people_see_them(till: Till) -> None:
    """The report would say another status than the ticket does."""
    hall = till.hall
    used, twice, cancelled, _ = [await hall.ticket(FREE) for _ in range(4)]
    await hall.scan(used.seats[0].code, "a")
    earlier, later = (STARTS_AT - timedelta(hours=hours) for hours in (3, 2))
    await hall.scan(twice.seats[0].code, "late", later)
    await hall.scan(twice.seats[0].code, "early", earlier)
    await hall.cancel(cancelled)
    await hall.ticket(CONCERT)
    for event_id in (FREE, CONCERT):
        counted = (await report(hall, event_id)).tickets
        shown = dict.fromkeys(("awaiting_payment", "valid", "used", "revoked"), 0)
        for status, count in till.execute(
            "SELECT lower(status), count(*) FROM shown_tickets WHERE event_id = %s GROUP BY 1",
            event_id,
        ):
            shown[status] = count
        assert {name: getattr(counted, name) for name in shown} == shown
    found = await report(hall, FREE)
    assert (found.tickets.used, found.tickets.revoked, found.tickets.valid) == (2, 1, 1)
    assert (found.admissions.checked_in, found.admissions.double_admissions) == (2, 1)
    assert not found.revenue, "nothing was paid"


async def test_every_booking_is_a_line_of_the_sheet(till: Till) -> None:
    """Somebody's booking or money would be missing, or a hostile name be run as a formula."""
    booking_id = await till.hall.book(CONCERT, HOSTILE)
    payment = await till.paid(booking_id=booking_id)
    await refund(till, payment, 400)
    other = await till.book()
    first, second = await sheet(till.hall, CONCERT)
    assert first["user_id"] == '\'=HYPERLINK("http://evil","a;\'=1")'
    shown = {name: first[name] for name in ("seats", "price_minor", "currency", "status")}
    assert shown == {"seats": "1", "price_minor": "900", "currency": "EUR", "status": "CONFIRMED"}
    assert (first["paid_minor"], first["refunded_minor"]) == ("900", "400")
    assert (second["booking_id"], second["paid_minor"]) == (str(other), "0")
    assert (second["ticket_status"], second["checked_in_at"]) == ("", "")


async def test_the_sheet_says_who_came(till: Till) -> None:
    """Nobody could tell from the sheet who stayed away."""
    ticket = await till.hall.ticket(FREE)
    admitted = await till.hall.scan(ticket.seats[0].code, "a")
    [line] = await sheet(till.hall, FREE)
    at = admitted.admitted_at.ToDatetime().isoformat(timespec="milliseconds") + "Z"
    assert (line["ticket_status"], line["checked_in"], line["checked_in_at"]) == ("USED", "1", at)


async def test_a_sheet_of_many_chunks_has_each_booking_once(till: Till, pool: Pool) -> None:
    """Bookings at the edge of a chunk could be left out or repeated."""
    made = [await till.book() for _ in range(4)]
    for chunk in (1, 3, 4, 5):
        parts = [part async for part in Sheets(pool, chunk=chunk).read(CONCERT)]
        lines = b"".join(parts[1:]).decode().splitlines()
        assert [int(line.split(",")[0]) for line in lines] == made


async def test_only_the_organizer_gets_reports(till: Till) -> None:
    """Anybody with an event could read the revenue of others, and the names of their guests."""
    await till.book()
    for name in ("GetEventReport", "RenderEventReport"):
        other = await refused(call(till.hall, name, CONCERT, account("other")))
        unknown = await refused(call(till.hall, name, 99))
        assert (other.reason, unknown.reason) == ("PERMISSION_DENIED", "EVENT_NOT_FOUND")


async def test_a_deleted_event_still_has_its_report(till: Till) -> None:
    """The money of an event that is gone would be in no figures."""
    await till.paid()
    catalogue = till.hall.running.catalogue
    state = catalogue.put(
        CONCERT,
        revision=2,
        organizer_id=OWNER,
        status=events_pb2.EVENT_STATUS_CANCELLED,
        deleted=True,
    )
    await till.hall.running.apply(state)
    found = await report(till.hall, CONCERT)
    assert (found.is_cancelled, found.bookings.cancelled, found.seats.sold) == (True, 1, 0)
    [refunds] = found.refunds
    assert (refunds.total.count, refunds.total.amount.amount_minor) == (1, PRICE)
