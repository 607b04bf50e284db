"""Confirming bookings and issuing their tickets.

A ticket is issued, and becomes valid, in the transaction that confirms its booking: the change that
does both is saved in one statement.
"""

from dataclasses import replace

from services.bookings.inventory.changes import Booking, Change, Kind, Ticket
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.releasing import lasting
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.seat_commands import Confirm, IssueTicket, Seated
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import accept
from services.kit.rpc.errors import Refusal


def confirm(stock: Stock, command: Confirm, context: Context) -> Outcome:
    """Turns a hold into a lasting booking with a valid ticket; leaves such a booking as it is."""
    booking = lasting(stock, command.booking_id)
    return booking if isinstance(booking, Refusal) else confirm_paid(stock, booking, context)


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
