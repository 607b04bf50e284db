"""What commands need loaded besides the rows of their events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.bookings.inventory.commands import (
    Apply,
    Book,
    Cancel,
    Command,
    GiveBack,
    Reserve,
    Sweep,
)
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import SERVED_AT_ONCE

Values = dict[str, Any]
_FREEING = (Cancel, GiveBack, Apply, Sweep)


def reads(commands: Sequence[Command]) -> Iterator[tuple[str, Values]]:
    """Lists the statements that read what the commands need, with their parameters."""
    if values := _users(commands, Reserve, Book, GiveBack):
        yield "exclusive_bookings", values
    if values := _users(commands, Book):
        yield "offered_bookings", values
    if values := _users(commands, GiveBack):
        yield "users_bookings", values
        yield "pasts", values
    if values := _users(commands, Book, GiveBack):
        yield "entries", values
    if named := [command for command in commands if isinstance(command, Cancel)]:
        event_ids = [command.event_id for command in named]
        booking_ids = [command.booking_id for command in named]
        yield "named_bookings", {"event_ids": event_ids, "booking_ids": booking_ids}
    if applied := [command for command in commands if isinstance(command, Apply)]:
        yield "booked_events", {"event_ids": [command.event_id for command in applied]}
        if any(command.place for command in applied):
            yield "place", {}


def ids(commands: Sequence[Command]) -> int:
    """Counts the bookings that the commands may make, but for those of the waiting list."""
    return sum(isinstance(command, Reserve | Book) for command in commands)


@dataclass(frozen=True, slots=True)
class Line:
    """What is needed of an event whose holds have ended or whose seats come free.

    `limit` is how many of those who wait are needed, for an event of `capacity` seats; `fits` is
    how many seats those may want who pass the head of the line, None where nobody may.
    """

    event_id: int
    is_due: bool
    limit: int
    capacity: int
    fits: int | None


def lines(stocks: Mapping[int, Stock], commands: Sequence[Command], now: datetime) -> list[Line]:
    """Lists the events of which more is needed, now that their rows are known."""
    freeing: dict[int, list[Command]] = {}
    for command in commands:
        if isinstance(command, _FREEING):
            freeing.setdefault(command.event_id, []).append(command)
    found = (_line(stock, freeing.get(stock.event_id, []), now) for stock in stocks.values())
    return [line for line in found if line is not None]


def _line(stock: Stock, freeing: Sequence[Command], now: datetime) -> Line | None:
    is_due = stock.next_expiry_at is not None and stock.next_expiry_at <= now
    if not is_due and not (stock.waiting and freeing):
        return None
    capacity = max([stock.capacity, *(c.state.capacity for c in freeing if isinstance(c, Apply))])
    # No more than so many seats can come free, each of them for one who waits.
    seats = capacity - stock.sold - stock.held + (stock.held if is_due else 0)
    seats += sum(booking.seat_count for booking in stock.bookings.values() if booking.is_live)
    # Those who leave meanwhile, and one who may block the line.
    limit = min(SERVED_AT_ONCE, max(seats, 0)) + len(freeing) + 1 if stock.waiting else 0
    fits = max(seats, 0) if stock.skip_fit_after_seconds is not None else None
    return Line(stock.event_id, is_due, limit, capacity, fits)


def _users(commands: Sequence[Command], *kinds: type[Any]) -> Values | None:
    """Returns the events and users of commands of some kinds; None if there are none."""
    asked = [command for command in commands if isinstance(command, kinds)]
    if not asked:
        return None
    return {
        "event_ids": [command.event_id for command in asked],
        "user_ids": [command.user_id for command in asked],
    }
