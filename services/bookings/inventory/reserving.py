"""Booking seats."""

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
    """What decisions depend on besides the stock: time, fresh ids, plans of seats and limits.

    `offer_seconds` is how long an offer to somebody who waited stands.
    """

    now: datetime
    identities: Identities
    offer_seconds: int
    plans: Plans = field(default_factory=NoPlans)
    limits: HoldLimits = field(default_factory=HoldLimits)


def reserve(stock: Stock, command: Reserve, context: Context) -> Outcome:
    """Books seats, unless the event, the user or others have something against it."""
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
    """Books seats that are known to be free; the best ones where seats are assigned."""
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
    """Returns why nothing of an event can be booked, whoever asks; None while it is on sale.

    A draft is EventNotFound to all but its owner, and EventNotFound carries no revision: nobody can
    tell an event that is hidden from none.
    """
    if is_hidden(stock, viewer):
        return EventNotFound()
    if stock.status != "PUBLISHED" or stock.frozen or not _is_on_sale(stock, now):
        return EventNotBookable(inventory_revision=stock.rev)
    return None


def is_hidden(stock: Stock, viewer: Viewer | None) -> bool:
    """Returns whether an event is deleted, or a draft that is not the viewer's."""
    if stock.status == "DRAFT" and not (viewer and viewer.owns(stock.organizer_id)):
        return True
    return stock.deleted


def sold_out(stock: Stock, seat_count: int) -> SoldOut:
    """Refuses seats that are not there; a party hears how many are left that nobody waits for."""
    left = None if seat_count == 1 else 0 if stock.waiting else max(stock.free, 0)
    return SoldOut(inventory_revision=stock.rev, seats_left=left)


def is_exclusive(stock: Stock, *, otherwise: bool) -> bool:
    """Returns whether a booking is its user's only one: the event decides, if it says so."""
    return otherwise if stock.one_booking_per_user is None else stock.one_booking_per_user


def _is_on_sale(stock: Stock, now: datetime) -> bool:
    opens_at, closes_at, starts_at = stock.sales_open_at, stock.sales_close_at, stock.starts_at
    if opens_at is not None and now < opens_at:
        return False
    if closes_at is not None and now >= closes_at:
        return False
    return starts_at is None or now < starts_at
