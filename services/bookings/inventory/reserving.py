"""Booking seats, and the rules that all ways of booking share.

Seats without a price are confirmed at once. Seats with one are held until they are paid.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from services.bookings.access import Viewer, is_account
from services.bookings.errors import (
    AlreadyBooked,
    EventNotBookable,
    EventNotFound,
    QueueRequired,
    SoldOut,
)
from services.bookings.inventory.changes import Booking, Change, Kind
from services.bookings.inventory.commands import Booked, Outcome, Reserve
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.limits import HoldLimits, excess_of_holds
from services.bookings.inventory.plans import NoPlans, Plans
from services.bookings.inventory.seats import best_seats, total_price
from services.bookings.inventory.stock import Stock
from services.kit.rpc.errors import Refusal


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of the rules besides the stock: the time, new ids, plans and limits.

    `offer_seconds` is how long an offer to a waiting user lasts.
    """

    now: datetime
    identities: Identities
    offer_seconds: int
    plans: Plans = field(default_factory=NoPlans)
    limits: HoldLimits = field(default_factory=HoldLimits)

    @property
    def hold_ends_at(self) -> datetime:
        """When a hold that is made now ends."""
        return self.now + timedelta(seconds=self.limits.seconds)


def reserve(stock: Stock, command: Reserve, context: Context) -> Outcome:
    """Books seats, or refuses: because of the event, the user's bookings, or too few seats."""
    if refusal := objection(stock, context.now, command.viewer):
        return refusal
    exclusive = is_exclusive(stock, otherwise=command.exclusive)
    if refusal := objection_to_user(stock, command, context.now, exclusive=exclusive):
        return refusal
    if stock.waiting or command.seat_count > stock.free:
        return sold_out(stock, command.seat_count)
    return book_now(stock, command.user_id, command.seat_count, context, exclusive=exclusive)


def book_now(
    stock: Stock, user_id: str, seat_count: int, context: Context, *, exclusive: bool
) -> Booked | Refusal:
    """Books seats that are known to be free; if seats are assigned, the best free ones.

    Seats with a price are held until they are paid, unless the user holds too many already.
    """
    seat_ids = best_seats(stock, seat_count)
    ends_at = None
    if total_price(stock, seat_count, seat_ids):
        # A user who holds nothing may hold as many seats as one request books.
        limits = context.limits
        most = max(limits.seats, seat_count)
        if refusal := excess_of_holds(stock, user_id, seat_count, limits, context.now, most=most):
            return refusal
        ends_at = context.hold_ends_at
    booking = take(
        stock, user_id, seat_count, seat_ids, context, exclusive=exclusive, ends_at=ends_at
    )
    return Booked(booking, stock, stock.rev)


def take(
    stock: Stock,
    user_id: str,
    seat_count: int,
    seat_ids: Sequence[int],
    context: Context,
    *,
    exclusive: bool,
    ends_at: datetime | None,
) -> Booking:
    """Takes free seats for a user: until a time, or for good if `ends_at` is None."""
    number, reference = context.identities.take()
    is_held = ends_at is not None
    booking = Booking(
        stock.event_id,
        number,
        reference,
        user_id,
        "HELD" if is_held else "CONFIRMED",
        exclusive,
        seat_count,
        total_price(stock, seat_count, seat_ids),
        stock.price_currency,
        context.now,
        ends_at,
        seat_ids=seat_ids,
    )
    sold, held = (0, seat_count) if is_held else (seat_count, 0)
    kind = Kind.HELD if is_held else Kind.RESERVED
    stock.record(Change(kind, user_id, booking, sold=sold, held=held, live=1))
    if ends_at is not None:
        stock.next_expiry_at = min(stock.next_expiry_at or ends_at, ends_at)
    return booking


def objection(stock: Stock, now: datetime, viewer: Viewer | None = None) -> Refusal | None:
    """Returns why the event cannot be booked; None while it is on sale.

    Everybody but the owner gets EventNotFound for a draft. EventNotFound carries no revision, so
    callers cannot tell a hidden event from a missing one.
    """
    if is_hidden(stock, viewer):
        return EventNotFound()
    if stock.status != "PUBLISHED" or stock.frozen or not _is_on_sale(stock, now):
        return EventNotBookable(inventory_revision=stock.rev)
    return None


class Asking(Protocol):
    """The fields of a command by which a user asks for seats."""

    @property
    def user_id(self) -> str:
        """The user."""

    @property
    def queue_token(self) -> str:
        """The token of the event's queue; empty if there is none."""


def objection_to_user(
    stock: Stock, command: Asking, now: datetime, *, exclusive: bool
) -> Refusal | None:
    """Returns why the user cannot book: because of another booking, or the queue of the event."""
    if exclusive and (existing := stock.exclusive_of(command.user_id)):
        return AlreadyBooked(inventory_revision=stock.rev, booking_id=existing.id)
    if stock.queue_since is None or _is_admitted(stock, command, now):
        return None
    return QueueRequired(inventory_revision=stock.rev, queue=f"/api/queue/{stock.event_id}")


def _is_admitted(stock: Stock, command: Asking, now: datetime) -> bool:
    """Returns whether the queue of the event has admitted the user.

    Callers have proved that an account is theirs. Guests prove it by the token of the queue.
    """
    admission = stock.admissions.get(command.user_id)
    if admission is None or admission.until <= now:
        return False
    if is_account(command.user_id):
        return True
    return hashlib.sha256(command.queue_token.encode()).digest() == admission.secret_hash


def is_hidden(stock: Stock, viewer: Viewer | None) -> bool:
    """Returns whether the event is deleted, or is a draft that the viewer does not own."""
    if stock.status == "DRAFT" and not (viewer and viewer.owns(stock.organizer_id)):
        return True
    return stock.deleted


def sold_out(stock: Stock, seat_count: int) -> SoldOut:
    """Makes the refusal of a sold-out event; a party also learns how many seats are left."""
    left = None if seat_count == 1 else 0 if stock.waiting else max(stock.free, 0)
    return SoldOut(inventory_revision=stock.rev, seats_left=left)


def is_exclusive(stock: Stock, *, otherwise: bool) -> bool:
    """Returns whether a new booking is exclusive: by the event's rule, else `otherwise`."""
    return otherwise if stock.one_booking_per_user is None else stock.one_booking_per_user


def _is_on_sale(stock: Stock, now: datetime) -> bool:
    opens_at, closes_at, starts_at = stock.sales_open_at, stock.sales_close_at, stock.starts_at
    if opens_at is not None and now < opens_at:
        return False
    if closes_at is not None and now >= closes_at:
        return False
    return starts_at is None or now < starts_at
