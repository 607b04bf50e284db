"""Protobuf messages of reports."""

from collections.abc import Mapping

from google.api import httpbody_pb2

from boxoffice.bookings.v1 import reports_pb2
from services.bookings.reports import revenue
from services.bookings.reports.reports import EventFigures, Refunds, Report
from services.bookings.reports.revenue import Revenue
from services.bookings.reports.seat_types import SeatTypeSales
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp

CSV = "text/csv"


def report(found: Report) -> reports_pb2.EventReport:
    """Writes a report."""
    event, takings = found.event, found.takings
    written = reports_pb2.EventReport(
        event_id=event.event_id,
        name=event.name,
        is_cancelled=event.is_closed,
        at=timestamp(event.at),
        seats=_seats(event),
        bookings=reports_pb2.BookingFigures(**_by_field(found.bookings)),
        tickets=reports_pb2.TicketFigures(**_by_field(found.tickets)),
        admissions=reports_pb2.AdmissionFigures(
            checked_in=found.checked_in, double_admissions=found.double_admissions
        ),
        seat_types=map(_seat_type, found.seat_types),
        refunds=map(_progress, found.refunds),
    )
    for sums in revenue.total(("", one.revenue) for one in takings).values():
        written.revenue.append(_revenue(sums))
    for (day, _), sums in revenue.total((one.day, one.revenue) for one in takings).items():
        written.revenue_by_day.add(
            day=day.isoformat(), payments=sums.payments, revenue=_revenue(sums)
        )
    for (name, _), sums in revenue.total((one.provider, one.revenue) for one in takings).items():
        written.revenue_by_provider.add(
            provider=name, payments=sums.payments, revenue=_revenue(sums)
        )
    return written


def part(data: bytes) -> reports_pb2.RenderEventReportResponse:
    """Writes some lines of CSV."""
    return reports_pb2.RenderEventReportResponse(
        body=httpbody_pb2.HttpBody(content_type=CSV, data=data)
    )


def file_name(event_id: int) -> str:
    """Writes the header that names the file of an event."""
    return f'attachment; filename="event-{event_id}-bookings.csv"'


def _seats(event: EventFigures) -> reports_pb2.SeatFigures:
    return reports_pb2.SeatFigures(
        total=event.capacity,
        sold=event.sold,
        held=event.held,
        blocked=event.blocked,
        left=event.left,
    )


def _by_field(counts: Mapping[str, int]) -> dict[str, int]:
    """Names counts by fields of a message: those of statuses in lower case."""
    return {status.lower(): count for status, count in counts.items()}


def _revenue(sums: Revenue) -> reports_pb2.Revenue:
    return reports_pb2.Revenue(
        gross=money(sums.gross, sums.currency),
        refunded=money(sums.refunded, sums.currency),
        refund_due=money(sums.refund_due, sums.currency),
        net=money(sums.net, sums.currency),
    )


def _seat_type(found: SeatTypeSales) -> reports_pb2.SeatTypeFigures:
    return reports_pb2.SeatTypeFigures(
        seat_type=found.seat_type,
        total=found.total,
        sold=found.sold,
        revenue=map(_revenue, found.revenue),
    )


def _progress(found: Refunds) -> reports_pb2.RefundProgress:
    counts = {status: found.by_status.get(status, (0, 0)) for status in STATUSES}
    whole = tuple(map(sum, zip(*counts.values(), strict=True)))
    return reports_pb2.RefundProgress(
        **{status.lower(): _figures(each, found.currency) for status, each in counts.items()},
        total=_figures(whole, found.currency),
    )


def _figures(counted: tuple[int, ...], currency: str) -> reports_pb2.RefundFigures:
    count, amount = counted
    return reports_pb2.RefundFigures(count=count, amount=money(amount, currency))


STATUSES = ("DUE", "REFUNDED", "FAILED")
