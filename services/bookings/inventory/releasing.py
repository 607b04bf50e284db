"""Releasing and extending holds."""

from dataclasses import replace
from datetime import timedelta

from services.bookings.errors import (
    HoldEnded,
    InvalidTransition,
    ReservationNotFound,
    ScreeningNotFound,
)
from services.bookings.inventory.cancelling import end
from services.bookings.inventory.changes import Booking, Change, Kind
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.reserving import Context, is_hidden
from services.bookings.inventory.seat_commands import (
    Release,
    Released,
    ReleaseUser,
)
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import promote
from services.kit.rpc.errors import Refusal


def release(stock: Stock, command: Release, context: Context) -> Outcome:
    """Frees the seats of a hold; frees none if the hold has ended."""
    booking = _reservation(stock, command.booking_id)
    if isinstance(booking, Refusal):
        return booking
    if stock.is_closed or not booking.is_live:
        return Released(0, stock.rev)
    if booking.status == "CONFIRMED":
        return InvalidTransition(inventory_revision=stock.rev)
    return _release(stock, [booking], context)


def release_user(stock: Stock, command: ReleaseUser, context: Context) -> Outcome:
    """Frees the seats of all holds of a user."""
    if stock.plan_id is None or is_hidden(stock, command.viewer):
        return ScreeningNotFound()
    live = () if stock.is_closed else stock.live_of(command.user_id)
    holds = [booking for booking in live if booking.status == "HELD" and booking.seat_ids]
    return _release(stock, sorted(holds, key=lambda booking: booking.id), context)


def extend_once(stock: Stock, booking: Booking, context: Context) -> Booking:
    """Extends a hold unless it was extended before; returns the booking as it is then."""
    if booking.expires_at is None or booking.extended_at is not None:
        return booking
    latest = booking.created_at + timedelta(seconds=context.limits.extended_seconds)
    extended = replace(booking, expires_at=max(booking.expires_at, latest), extended_at=context.now)
    stock.record(Change(Kind.EXTENDED, booking.user_id, extended))
    return extended


def lasting(stock: Stock, booking_id: int) -> Booking | Refusal:
    """Returns a booking that has not ended, with assigned seats or without."""
    booking = stock.bookings.get(booking_id)
    if booking is None:
        return ReservationNotFound()
    if stock.is_closed or not booking.is_live:
        return HoldEnded(inventory_revision=stock.rev)
    return booking


def _reservation(stock: Stock, booking_id: int) -> Booking | Refusal:
    booking = stock.bookings.get(booking_id)
    return booking if booking is not None and booking.seat_ids else ReservationNotFound()


def _release(stock: Stock, holds: list[Booking], context: Context) -> Released:
    for booking in holds:
        end(stock, booking, context.now)
    rev = stock.rev
    count = sum(booking.seat_count for booking in holds)
    return Released(count, rev, promote(stock, context) if holds else 0)
