"""Protobuf messages of tickets and of the keys that verify their codes."""

import base64

from google.api import httpbody_pb2

from boxoffice.bookings.v1 import bookings_pb2, seats_pb2, tickets_pb2
from services.bookings.asks import expect
from services.bookings.errors import AwaitingPayment, SeatNotFound, TicketRevoked
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.seat_commands import Seated
from services.bookings.seating.plan import Plan
from services.bookings.tickets.codes import Code, sign
from services.bookings.tickets.details import Period, TicketDetails
from services.bookings.tickets.keys import TicketKey
from services.bookings.tickets.printed import Document
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp


def issue_response(outcome: Outcome) -> tickets_pb2.CreateTicketResponse:
    """Writes which ticket was issued or found. The rest is read: codes are never stored."""
    seated = expect(outcome, Seated)
    if seated.ticket is None:
        raise TypeError(f"{seated} has no ticket")
    ticket = tickets_pb2.Ticket(ticket_id=str(seated.ticket.id))
    if seated.changed:
        ticket.status = _status("VALID" if seated.ticket.valid_at else "AWAITING_PAYMENT")
    return tickets_pb2.CreateTicketResponse(
        ticket=ticket, existed=not seated.changed, inventory_revision=seated.rev
    )


def completed(
    response: tickets_pb2.CreateTicketResponse, shown: tickets_pb2.Ticket
) -> tickets_pb2.CreateTicketResponse:
    """Adds the rest of its ticket to a response; a repeated one keeps the status it had first."""
    whole = tickets_pb2.Ticket()
    whole.CopyFrom(shown)
    whole.MergeFrom(response.ticket)
    response.ticket.CopyFrom(whole)
    return response


def transfer_response(outcome: Outcome) -> tickets_pb2.TransferTicketResponse:
    """Writes who has a ticket now. The rest is read."""
    seated = expect(outcome, Seated)
    if seated.ticket is None:
        raise TypeError(f"{seated} has no ticket")
    given = tickets_pb2.Ticket(
        ticket_id=str(seated.ticket.id), user_id=seated.ticket.user_id, status=_status("VALID")
    )
    return tickets_pb2.TransferTicketResponse(ticket=given, inventory_revision=seated.rev)


def without_codes(shown: tickets_pb2.Ticket) -> tickets_pb2.Ticket:
    """Removes the codes of a ticket, which is not the caller's any more."""
    for each in shown.seats:
        each.ClearField("code")
    return shown


def ticket(
    found: TicketDetails, plan: Plan | None, key: TicketKey, period: Period
) -> tickets_pb2.Ticket:
    """Writes a ticket; signs its codes with the key. `plan` has its seats, if they are assigned."""
    written = tickets_pb2.Ticket(
        ticket_id=str(found.ticket_id),
        booking_id=found.booking_id,
        reference=str(found.reference),
        user_id=found.user_id,
        event=bookings_pb2.BookedEvent(
            id=found.event_id, name=found.event_name, starts_at=timestamp(found.event_starts_at)
        ),
        status=_status(found.status),
        price=money(found.price_amount_minor, found.price_currency),
        created_at=timestamp(found.created_at),
    )
    for code_id, seat_id, used_at in zip(
        found.code_ids, found.seat_ids, found.used_at, strict=True
    ):
        shown = seat(plan, seat_id)
        if found.shows_codes:
            shown.code = sign(Code(found.event_id, code_id, seat_id, period), key)
        if used_at:
            shown.used_at.FromDatetime(used_at)
        written.seats.append(shown)
    return written


def code_of(shown: tickets_pb2.Ticket, request: tickets_pb2.RenderTicketQrCodeRequest) -> str:
    """Returns the code of the seat that is asked for, the first one by default.

    Raises SeatNotFound, AwaitingPayment and TicketRevoked.
    """
    if shown.status == tickets_pb2.TICKET_STATUS_AWAITING_PAYMENT:
        raise AwaitingPayment
    if shown.status == tickets_pb2.TICKET_STATUS_REVOKED:
        raise TicketRevoked
    for place, found in enumerate(shown.seats, 1):
        is_seat = not request.HasField("seat_id") or found.seat_id == request.seat_id
        is_place = not request.HasField("place") or place == request.place
        if is_seat and is_place:
            return str(found.code)
    refusal = SeatNotFound()
    refusal.details = seats_pb2.SeatNotFoundDetails(
        seat_ids=[request.seat_id] if request.HasField("seat_id") else []
    )
    raise refusal


def body(document: Document) -> httpbody_pb2.HttpBody:
    """Writes a document as it is."""
    return httpbody_pb2.HttpBody(content_type=document.media_type, data=document.data)


def seat(plan: Plan | None, seat_id: int | None) -> tickets_pb2.TicketSeat:
    """Writes a seat of a ticket, without its code."""
    if plan is None or seat_id is None:
        return tickets_pb2.TicketSeat()
    found = plan.seat(seat_id)
    return tickets_pb2.TicketSeat(
        seat_id=found.id,
        section=found.section,
        row=found.row,
        number=found.number,
        label=found.label,
    )


def key(found: TicketKey) -> tickets_pb2.TicketKey:
    """Writes the public half of a key as JWK."""
    x = base64.urlsafe_b64encode(found.public_key).rstrip(b"=").decode()
    return tickets_pb2.TicketKey(kty="OKP", crv="Ed25519", x=x, kid=str(found.id), use="sig")


def _status(name: str) -> tickets_pb2.TicketStatus.ValueType:
    return tickets_pb2.TicketStatus.Value(f"TICKET_STATUS_{name}")
