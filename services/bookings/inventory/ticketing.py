"""Confirming bookings, issuing their tickets, and giving tickets to others.

A ticket is issued, and becomes valid, in the transaction that confirms its booking: the change that
does both is saved in one statement.
"""

from dataclasses import replace

from services.bookings.errors import (
    AlreadyUsed,
    AwaitingPayment,
    TicketNotFound,
    TicketRevoked,
)
from services.bookings.inventory.changes import Booking, Change, Kind, Ticket
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.releasing import lasting
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.seat_commands import IssueTicket, Seated, Transfer
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import accept
from services.kit.rpc.errors import Refusal, RequestInProgress


def issue(stock: Stock, command: IssueTicket, context: Context) -> Outcome:
    """Issues the ticket of a booking unless it has one, and confirms a free booking with it."""
    booking = lasting(stock, command.booking_id)
    if isinstance(booking, Refusal):
        return booking
    if not booking.price_amount_minor:
        return confirm_paid(stock, booking, context)
    if known := stock.tickets.get(booking.id):
        return Seated(booking, stock.rev, changed=False, ticket=known)
    ticket = _new_ticket(booking, context)
    stock.record(Change(Kind.TICKETED, booking.user_id, booking, ticket=ticket))
    return Seated(booking, stock.rev, ticket=ticket)


def transfer(stock: Stock, command: Transfer, context: Context) -> Outcome:
    """Transfers a valid ticket that nobody has used to another user.

    The booking stays its user's, who paid. A code that is scanned at this moment may be used or
    not, so nothing is decided before that is known.
    """
    booking = stock.bookings.get(command.booking_id)
    ticket = stock.tickets.get(command.booking_id)
    if booking is None or ticket is None or ticket.user_id != command.user_id:
        return TicketNotFound()
    if stock.is_closed or not booking.is_live:
        return TicketRevoked(inventory_revision=stock.rev)
    if ticket.valid_at is None:
        return AwaitingPayment(inventory_revision=stock.rev)
    if booking.id not in stock.uses:
        return RequestInProgress()
    if used_at := stock.uses[booking.id]:
        return AlreadyUsed(used_at=used_at)
    given = replace(ticket, user_id=command.to_user_id)
    stock.record(Change(Kind.TRANSFERRED, given.user_id, booking, ticket=given))
    return Seated(booking, stock.rev, ticket=given)


def confirm_paid(stock: Stock, booking: Booking, context: Context) -> Seated:
    """Confirms a booking that does not cost anything any more, with its valid ticket.

    The seats of a booking that has expired must be free: it takes them again.
    """
    known = stock.tickets.get(booking.id)
    if booking.status == "CONFIRMED" and known and known.valid_at:
        return Seated(booking, stock.rev, changed=False, ticket=known)
    ticket = replace(known or _new_ticket(booking, context), valid_at=context.now)
    if booking.place is not None:
        return Seated(accept(stock, booking, ticket).booking, stock.rev, ticket=ticket)
    if booking.status == "CONFIRMED":
        stock.record(Change(Kind.TICKETED, booking.user_id, booking, ticket=ticket))
        return Seated(booking, stock.rev, ticket=ticket)
    count, is_held = booking.seat_count, booking.is_live
    confirmed = replace(booking, status="CONFIRMED", expires_at=None, is_paying=False)
    stock.record(
        Change(
            Kind.CONFIRMED if is_held else Kind.REGAINED,
            booking.user_id,
            confirmed,
            sold=count,
            held=-count if is_held else 0,
            live=0 if is_held else 1,
            ticket=ticket,
        )
    )
    return Seated(confirmed, stock.rev, ticket=ticket)


def _new_ticket(booking: Booking, context: Context) -> Ticket:
    return Ticket(
        booking.event_id,
        context.identities.take_ticket(),
        booking.id,
        booking.user_id,
        context.now,
    )
