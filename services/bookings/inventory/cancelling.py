"""Cancelling bookings and leaving the waiting list; freed seats go to those who wait."""

from dataclasses import replace
from datetime import datetime

from services.bookings.errors import AlreadyCancelled, BookingNotFound, EventNotFound
from services.bookings.inventory.changes import Booking, Change, Kind
from services.bookings.inventory.commands import Cancel, Cancelled, LeftLine, Outcome, Withdraw
from services.bookings.inventory.money import Reason, buyer_of, give_back_rest, may_refund
from services.bookings.inventory.reserving import Context, is_hidden
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import promote
from services.kit.rpc.errors import PermissionDenied


def cancel(stock: Stock, command: Cancel, context: Context) -> Outcome:
    """Cancels a booking by its id, and gives its money back if the event's rule says so.

    What the organizer cancels is always paid back. Only the organizer may take a ticket away from
    somebody to whom it was transferred.
    """
    booking = stock.bookings.get(command.booking_id)
    if booking is None:
        return BookingNotFound()
    ticket = stock.tickets.get(booking.id)
    if ticket and ticket.user_id != booking.user_id and not command.by_organizer:
        return PermissionDenied(inventory_revision=stock.rev)
    if not booking.is_live or stock.closed_at is not None:
        return AlreadyCancelled(inventory_revision=stock.rev)
    cancelled = end(stock, booking, context.now)
    rev = stock.rev
    if (payment := buyer_of(stock, booking.id)) and (
        command.by_organizer or may_refund(stock, context.now)
    ):
        give_back_rest(stock, payment, Reason.BOOKING_CANCELLED, context.now)
    return Cancelled(cancelled, stock, rev, promote(stock, context))


def withdraw(stock: Stock, command: Withdraw, context: Context) -> Outcome:
    """Cancels the user's last booking, declines their offer or takes them off the waiting list.

    If the event has no rule on the number of bookings of a user, only exclusive bookings are
    cancelled this way: all others are cancelled by their reference.
    """
    if is_hidden(stock, command.viewer):
        return EventNotFound()
    if booking := _own_booking(stock, command.user_id):
        return cancel(stock, Cancel(stock.event_id, booking.id), context)
    entry = stock.entries.get(command.user_id)
    if entry is not None and stock.closed_at is None:
        change = Change(Kind.LEFT, command.user_id, place=entry.place, state="LEFT", waiting=-1)
        stock.record(change)
        return LeftLine(stock.rev, promote(stock, context))
    if entry is not None or _was_there(stock, command.user_id):
        return AlreadyCancelled(inventory_revision=stock.rev)
    return BookingNotFound()


def _own_booking(stock: Stock, user_id: str) -> Booking | None:
    """Finds the live booking to cancel: the exclusive one, else the last one."""
    if exclusive := stock.exclusive_of(user_id):
        return exclusive
    if stock.one_booking_per_user is None:
        return None
    return max(stock.live_of(user_id), key=lambda booking: booking.id, default=None)


def _was_there(stock: Stock, user_id: str) -> bool:
    """Returns whether the user ever had a booking or an entry that could be cancelled this way."""
    past = stock.past_of(user_id)
    if past.entry or past.exclusive_booking:
        return True
    return past.any_booking and stock.one_booking_per_user is not None


def end(stock: Stock, booking: Booking, now: datetime) -> Booking:
    """Frees the seats of a live booking; a declined offer also ends the user's waiting."""
    cancelled = replace(booking, status="CANCELLED", cancelled_at=now, place=None)
    was_held = booking.status == "HELD"
    stock.record(
        Change(
            Kind.CANCELLED,
            booking.user_id,
            cancelled,
            booking.place,
            "LEFT",
            sold=0 if was_held else -booking.seat_count,
            held=-booking.seat_count if was_held else 0,
            live=-1,
        )
    )
    return cancelled
