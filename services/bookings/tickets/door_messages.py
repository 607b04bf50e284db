"""Protobuf messages of check-in: scans, admissions, refusals and bundles."""

from collections.abc import Iterable

from boxoffice.bookings.v1 import tickets_pb2
from services.bookings.errors import AlreadyUsed
from services.bookings.seating.plan import Plan
from services.bookings.tickets import messages
from services.bookings.tickets.bundles import Bundle
from services.bookings.tickets.check_in import Admitted, Scan
from services.bookings.tickets.details import Period
from services.bookings.tickets.keys import TicketKey
from services.kit.rpc.timestamps import moment, timestamp


def scan(request: tickets_pb2.CheckInTicketRequest) -> Scan:
    """Reads what was scanned."""
    event_id = request.event_id if request.HasField("event_id") else None
    return Scan(request.code, request.nonce, moment(request, "at"), event_id)


def admission(admitted: Admitted, plan: Plan | None) -> tickets_pb2.CheckInTicketResponse:
    """Writes that somebody was admitted."""
    return tickets_pb2.CheckInTicketResponse(
        admission=tickets_pb2.Admission(
            result="admitted",
            ticket_id=str(admitted.ticket_id),
            seat=messages.seat(plan, admitted.seat_id),
            user_id=admitted.user_id,
            admitted_at=timestamp(admitted.at),
            double_admission=admitted.is_double,
        )
    )


def explain(refusal: AlreadyUsed) -> AlreadyUsed:
    """Adds the details to a refusal."""
    refusal.details = tickets_pb2.AlreadyUsedDetails(
        used_at=timestamp(refusal.used_at), double_admission=refusal.is_double
    )
    return refusal


def bundle(
    found: Bundle, plan: Plan | None, period: Period, keys: Iterable[TicketKey]
) -> tickets_pb2.GetCheckInBundleResponse:
    """Writes what scanners need."""
    event = found.event
    written = tickets_pb2.CheckInBundle(
        event_id=event.event_id,
        name=event.name,
        not_before=timestamp(period.not_before),
        not_after=timestamp(period.not_after),
        keys=map(messages.key, keys),
        revoked_code_ids=[str(code.code_id) for code in found.codes if code.is_revoked],
        double_admissions=[
            tickets_pb2.DoubleAdmission(
                code_id=str(each.code_id),
                nonce=each.nonce,
                scanned_at=timestamp(each.scanned_at),
            )
            for each in found.double_admissions
        ],
        revision=event.rev,
    )
    for code in found.codes:
        if not code.is_revoked:
            seat = messages.seat(plan, code.seat_id)
            if code.used_at:
                seat.used_at.FromDatetime(code.used_at)
            written.codes.add(code_id=str(code.code_id), seat=seat)
    return tickets_pb2.GetCheckInBundleResponse(bundle=written)
