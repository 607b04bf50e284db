"""Booking seats at once, and the rules that all ways of booking share."""

from dataclasses import dataclass, field
from datetime import datetime

from services.bookings.access import Viewer
from services.bookings.errors import AlreadyBooked, EventNotBookable, EventNotFound, SoldOut
from services.bookings.inventory.changes import Booking, Change, Kind
from services.bookings.inventory.commands import Booked, Outcome, Reserve
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.limits import HoldLimits
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


def reserve(stock: Stock, command: Reserve, context: Context) -> Outcome:
    """Books seats, or refuses: because of the event, the user's bookings, or too few seats."""
    if refusal := objection(stock, context.now, command.viewer):
        return refusal
    exclusive = is_exclusive(stock, otherwise=command.exclusive)
    if exclusive and (existing := stock.exclusive_of(command.user_id)):
        return AlreadyBooked(inventory_revision=stock.rev, booking_id=existing.id)
    if stock.waiting or command.seat_count > stock.free:
        return sold_out(stock, command.seat_count)
    return book_now(stock, command.user_id, command.seat_count, context, exclusive=exclusive)


def book_now(
    stock: Stock, user_id: str, seat_count: int, context: Context, *, exclusive: bool
) -> Booked:
    """Books seats that are known to be free; if seats are assigned, the best free ones."""
    number, reference = context.identities.take()
    seat_ids = best_seats(stock, seat_count)
    booking = Booking(
        stock.event_id,
        number,
        reference,
        user_id,
        "CONFIRMED",
        exclusive,
        seat_count,
        total_price(stock, seat_count, seat_ids),
        stock.price_currency,
        context.now,
        seat_ids=seat_ids,
    )
    stock.record(Change(Kind.RESERVED, user_id, booking, sold=seat_count, live=1))
    return Booked(booking, stock, stock.rev)


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
