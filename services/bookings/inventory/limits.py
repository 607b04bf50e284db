"""How long seats are held, and how many a user may hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from services.bookings.access import is_account
from services.bookings.errors import TooManyHolds
from services.bookings.inventory.stock import Stock


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """A hold ends after `seconds`; an extended one `extended_seconds` after it was made.

    A user holds at most `seats` of an event at a time; one booking whose seats nobody chose may
    have more. An account has to wait if `ended` of its holds ended unconfirmed within the last
    `ended_within_seconds`.
    """

    seconds: int = 600
    extended_seconds: int = 1_800
    seats: int = 10
    ended: int = 3
    ended_within_seconds: int = 300


def excess_of_holds(
    stock: Stock, user_id: str, seat_count: int, limits: HoldLimits, now: datetime, *, most: int
) -> TooManyHolds | None:
    """Refuses a user who would hold more than `most` seats, or has let too many holds end."""
    return _excess_of_seats(stock, user_id, seat_count, most, now) or _excess_of_ended(
        stock, user_id, limits, now
    )


def _excess_of_seats(
    stock: Stock, user_id: str, seat_count: int, most: int, now: datetime
) -> TooManyHolds | None:
    """Refuses a user who would hold too many seats, until the first of the holds ends."""
    held = [booking for booking in stock.live_of(user_id) if booking.status == "HELD"]
    if sum(booking.seat_count for booking in held) + seat_count <= most:
        return None
    ends = (hold.expires_at for hold in held if hold.expires_at)
    return _too_many_holds(stock, now, min(ends, default=now))


def _excess_of_ended(
    stock: Stock, user_id: str, limits: HoldLimits, now: datetime
) -> TooManyHolds | None:
    """Refuses an account that has let too many holds end, until the first of them is forgotten."""
    if not is_account(user_id):
        return None
    period = timedelta(seconds=limits.ended_within_seconds)
    ended = stock.ended_since(user_id, now - period)
    if len(ended) < limits.ended:
        return None
    return _too_many_holds(stock, now, ended[limits.ended - 1] + period)


def _too_many_holds(stock: Stock, now: datetime, until: datetime) -> TooManyHolds:
    seconds = max(1, ceil((until - now).total_seconds()))
    return TooManyHolds(inventory_revision=stock.rev, retry_after_seconds=seconds)
