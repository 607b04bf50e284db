"""The waiting list: joining, accepting an offer, and serving it once holds have ended."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from services.bookings.errors import AlreadyWaiting
from services.bookings.inventory.changes import Booking, Change, Entry, Kind, Ticket
from services.bookings.inventory.commands import (
    DEFERRED,
    Book,
    Booked,
    Deferred,
    Done,
    Outcome,
    Sweep,
    Waiting,
)
from services.bookings.inventory.reserving import (
    Context,
    book_now,
    is_exclusive,
    objection,
    objection_to_user,
    sold_out,
)
from services.bookings.inventory.seats import best_seats, total_price
from services.bookings.inventory.stock import Stock
from services.kit.rpc.errors import Refusal

MAX_SERVED = 1_000


def book(stock: Stock, command: Book, context: Context) -> Outcome | Deferred:
    """Books seats, or adds the user to the waiting list.

    A user with an offer gets that: its seats are held already, until they are paid.
    """
    if refusal := objection(stock, context.now, command.viewer):
        return refusal
    user_id, seat_count = command.user_id, command.seat_count
    offer = next((held for held in stock.live_of(user_id) if held.place is not None), None)
    if offer is not None:
        return Booked(offer, stock, stock.rev)
    exclusive = is_exclusive(stock, otherwise=True)
    if refusal := objection_to_user(stock, command, context.now, exclusive=exclusive):
        return refusal
    if stock.waiting == 0 and seat_count <= stock.free:
        return book_now(stock, user_id, seat_count, context, exclusive=exclusive)
    if stock.more_have_ended:
        # The next transaction expires more holds, which frees seats.
        return DEFERRED
    return _join(stock, user_id, seat_count, context.now)


def accept(stock: Stock, offer: Booking, ticket: Ticket | None = None) -> Booked:
    """Turns an offer that was paid into a confirmed booking; `ticket` is issued with it."""
    booking = replace(offer, status="CONFIRMED", expires_at=None, place=None, is_paying=False)
    stock.record(
        Change(
            Kind.ACCEPTED,
            offer.user_id,
            booking,
            offer.place,
            "SERVED",
            sold=offer.seat_count,
            held=-offer.seat_count,
            ticket=ticket,
        )
    )
    return Booked(booking, stock, stock.rev)


def expire_and_promote(stock: Stock, context: Context) -> None:
    """Expires the holds that have ended and gives their seats to the waiting list."""
    if stock.next_expiry_at is not None and stock.next_expiry_at <= context.now:
        expire(stock, context.now)
        promote(stock, context)


def sweep(stock: Stock, _: Sweep, context: Context) -> Done | Deferred:
    """Serves the waiting list while seats are free. `decide` has expired ended holds before."""
    served = promote(stock, context)
    return DEFERRED if stock.more_have_ended else Done(changed=served > 0)


def expire(stock: Stock, now: datetime) -> None:
    """Expires the loaded holds that have ended by now and are not being paid."""
    ended = sorted(
        (booking for booking in stock.bookings.values() if _has_ended(booking, now)),
        key=lambda booking: booking.id,
    )
    for booking in ended:
        lapse(stock, booking)
    if not stock.more_have_ended:
        stock.next_expiry_at = stock.expires_next_at


def lapse(stock: Stock, hold: Booking) -> None:
    """Ends a hold whose time is over; that of an offer also ends its user's waiting."""
    stock.record(
        Change(
            Kind.EXPIRED,
            hold.user_id,
            replace(hold, status="EXPIRED", place=None),
            hold.place,
            "EXPIRED",
            held=-hold.seat_count,
            live=-1,
        )
    )


def promote(stock: Stock, context: Context) -> int:
    """Assigns free seats to the waiting list; returns how many entries were served.

    Seats without a price are booked at once. Priced seats are offered: held until the offer ends,
    at the latest with the sale. Serves at most MAX_SERVED entries, and the sweeper serves the
    rest; nobody else can book while users wait.
    """
    if not stock.waiting or stock.free <= 0 or objection(stock, context.now):
        return 0
    chosen = list(_next_in_line(stock, context.now))
    for entry in chosen:
        _serve(stock, entry, context)
    return len(chosen)


def _next_in_line(stock: Stock, now: datetime) -> Iterator[Entry]:
    """Chooses the entries to serve, by place, while seats last.

    A head that wants more seats than are free blocks all entries behind it. If the event allows it,
    smaller parties may pass once the head has blocked the line for long enough.
    """
    unused = stock.free
    blocked = False
    count = 0
    for entry in list(stock.line):
        if unused == 0 or count == MAX_SERVED:
            return
        if entry.seat_count > stock.seats_on_sale:
            continue
        if entry.seat_count <= unused:
            unused -= entry.seat_count
            count += 1
            yield entry
        elif not blocked:
            if not _may_be_passed(stock, entry, now):
                return
            blocked = True


def _may_be_passed(stock: Stock, head: Entry, now: datetime) -> bool:
    """Returns whether smaller parties may pass a head that blocks the line."""
    if stock.skip_fit_after_seconds is None:
        return False
    if head.blocked_since is None:
        stock.blocking.append(head.place)
    since = head.blocked_since or now
    return now >= since + timedelta(seconds=stock.skip_fit_after_seconds)


def _serve(stock: Stock, entry: Entry, context: Context) -> None:
    number, reference = context.identities.take()
    seat_ids = best_seats(stock, entry.seat_count)
    price = total_price(stock, entry.seat_count, seat_ids)
    ends_at = _offer_ends_at(stock, context) if price else None
    booking = Booking(
        stock.event_id,
        number,
        reference,
        entry.user_id,
        "CONFIRMED" if ends_at is None else "HELD",
        is_exclusive(stock, otherwise=True),
        entry.seat_count,
        price,
        stock.price_currency,
        context.now,
        ends_at,
        place=None if ends_at is None else entry.place,
        seat_ids=seat_ids,
    )
    kind = Kind.SERVED if ends_at is None else Kind.OFFERED
    stock.record(
        Change(
            kind,
            entry.user_id,
            booking,
            entry.place,
            kind.value,
            sold=entry.seat_count if ends_at is None else 0,
            held=0 if ends_at is None else entry.seat_count,
            live=1,
            waiting=-1,
        )
    )
    if ends_at is not None:
        stock.next_expiry_at = min(stock.next_expiry_at or ends_at, ends_at)


def _offer_ends_at(stock: Stock, context: Context) -> datetime:
    """Returns when an offer ends: at the latest when the event starts or its sale ends."""
    ends = (
        context.now + timedelta(seconds=context.offer_seconds),
        stock.starts_at,
        stock.sales_close_at,
    )
    return min(end for end in ends if end is not None)


def _join(stock: Stock, user_id: str, seat_count: int, now: datetime) -> Waiting | Refusal:
    if entry := stock.entries.get(user_id):
        return AlreadyWaiting(inventory_revision=stock.rev, position=stock.position(entry))
    if seat_count > max(stock.capacity, 1):
        # The event will never have enough seats for this party.
        return sold_out(stock, seat_count)
    position = stock.waiting + 1
    entry = Entry(
        stock.event_id, stock.last_place + 1, user_id, seat_count, now,
        position=position + len(stock.left_places),
    )  # fmt: skip
    stock.record(
        Change(Kind.JOINED, user_id, place=entry.place, state="WAITING", joined=entry, waiting=1)
    )
    return Waiting(stock.event_id, user_id, seat_count, position, stock.rev)


def _has_ended(booking: Booking, now: datetime) -> bool:
    if booking.status != "HELD" or booking.is_paying or booking.expires_at is None:
        return False
    return booking.expires_at <= now
