"""The rows that commands need besides those of their events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.bookings.inventory.commands import (
    Apply,
    Book,
    Cancel,
    Command,
    Reserve,
    SetSkipFit,
    Sweep,
    Withdraw,
)
from services.bookings.inventory.payment_commands import (
    RefundEvent,
    RefundPayment,
    SettlePayment,
    SettleRefund,
    StartPayment,
)
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    Release,
    ReleaseUser,
    Transfer,
)
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import MAX_SERVED

Row = dict[str, Any]
MAX_FITTING = 1_000
MAX_EXPIRED = 256
"""How many ended holds a transaction expires at most, besides those of the seats asked for.

All events of the transaction share them; each has at least one.
"""
MAX_REFUNDED = 100
"""How many payments of a closed event are given back at most in a transaction."""
_CANCELLING = (Cancel, Withdraw)
_SERVING = (
    *_CANCELLING, Apply, Sweep, SetSkipFit, Release, ReleaseUser, BlockSeats, SettlePayment,
    RefundPayment,
)  # fmt: skip
_TICKETING = (IssueTicket, SettlePayment)
_REFUNDING = (RefundPayment, SettleRefund)
_PAYING = (StartPayment, SettlePayment, *_REFUNDING)
_BY_NUMBER = (Cancel, Release, IssueTicket, Transfer, *_PAYING)
_SEATED = (Hold, Release, ReleaseUser, BlockSeats, StartPayment, *_TICKETING)

_OF_BOOKINGS = (
    ("named_bookings", _BY_NUMBER),
    # Locked first, and read by later statements, whose snapshots are newer than the lock.
    ("lock_tickets", (Transfer,)),
    ("named_tickets", (Cancel, Transfer, StartPayment, *_TICKETING)),
    ("ticket_uses", (Transfer,)),
    ("lock_payments", (SettlePayment,)),
    ("named_payments", _PAYING),
    ("rival_bookings", (SettlePayment,)),
)


def reads(commands: Sequence[Command]) -> Iterator[tuple[str, list[Row]]]:
    """Lists the statements to run for the commands, each with its parameters."""
    if asked := _users(commands, Reserve, Book, Withdraw, Hold):
        yield "exclusive_bookings", asked
    if asked := _users(commands, Book):
        yield "offered_bookings", asked
    if asked := _users(commands, Withdraw, ReleaseUser):
        yield "users_bookings", asked
    if asked := _users(commands, Withdraw):
        yield "pasts", asked
        yield "users_tickets", asked
    if asked := _users(commands, Book, Withdraw):
        yield "entries", asked
    for name, kinds in _OF_BOOKINGS:
        if named := [command for command in commands if isinstance(command, kinds)]:
            yield (
                name,
                [{"event_id": one.event_id, "booking_id": one.booking_id} for one in named],
            )
    yield from _reads_of_seats(commands)
    yield from _reads_of_refunds(commands)
    if applied := [command for command in commands if isinstance(command, Apply)]:
        yield "booked_events", [{"event_id": command.event_id} for command in applied]
        if any(command.position for command in applied):
            yield "feed_position", []


def _reads_of_seats(commands: Sequence[Command]) -> Iterator[tuple[str, list[Row]]]:
    """Lists the statements that read assigned seats, each with its parameters."""
    if seated := {one.event_id for one in commands if isinstance(one, _SEATED)}:
        yield "seat_blocks", [{"event_id": event_id} for event_id in sorted(seated)]
    holds = [command for command in commands if isinstance(command, Hold)]
    if asked := _users(commands, Hold):
        yield "users_holds", asked
    named = {(one.event_id, seat_id) for one in holds for seat_id in one.seat_ids}
    if named:
        asked = [{"event_id": event_id, "seat_id": seat_id} for event_id, seat_id in sorted(named)]
        yield "seat_holders", asked


def _reads_of_refunds(commands: Sequence[Command]) -> Iterator[tuple[str, list[Row]]]:
    """Lists the statements that read refunds, and what is left of closed events' payments."""
    if named := [command for command in commands if isinstance(command, _REFUNDING)]:
        yield (
            "named_refunds",
            [{"event_id": one.event_id, "refund_id": one.refund_id} for one in named],
        )
    if closed := [command for command in commands if isinstance(command, RefundEvent)]:
        yield (
            "unrefunded_payments",
            [{"event_id": one.event_id, "limit": MAX_REFUNDED} for one in closed],
        )


def sold_bookings(stocks: Mapping[int, Stock], commands: Sequence[Command]) -> list[Row]:
    """Lists the bookings whose payments have to be read, because they may be cancelled.

    Bookings of free events have none.
    """
    event_ids = {command.event_id for command in commands if isinstance(command, _CANCELLING)}
    return [
        {"event_id": event_id, "booking_id": booking.id}
        for event_id in sorted(event_ids & stocks.keys())
        for booking in stocks[event_id].bookings.values()
        if booking.status == "CONFIRMED" and booking.price_amount_minor
    ]


def admissions(stocks: Mapping[int, Stock], commands: Sequence[Command]) -> list[Row]:
    """Lists the users whose admission by a queue has to be read; none while the queue is off."""
    queued = {event_id for event_id, stock in stocks.items() if stock.queue_since is not None}
    if not queued:
        return []
    asked = _users(commands, Reserve, Book, Hold)
    return [row for row in asked if row["event_id"] in queued]


def ids(commands: Sequence[Command]) -> int:
    """Counts the new bookings that the commands can make, without those of the waiting list."""
    return sum(isinstance(command, Reserve | Book | Hold) for command in commands)


def ticket_ids(commands: Sequence[Command]) -> int:
    """Counts the tickets that the commands may issue."""
    return sum(isinstance(command, _TICKETING) for command in commands)


@dataclass(frozen=True, slots=True)
class Line:
    """The rows to read of an event whose holds have ended or whose seats may come free.

    `limit` is how many entries of the waiting list are read, of those that want at most `capacity`
    seats. If smaller parties may pass the head, entries that want at most `fits` seats are read,
    too; otherwise `fits` is None.
    """

    event_id: int
    is_due: bool
    limit: int
    capacity: int
    fits: int | None

    def is_whole(self, count: int) -> bool:
        """Returns whether `count` rows that were read include every entry that can be served."""
        return count < self.limit or (self.fits is not None and count < MAX_FITTING)


def lines(stocks: Mapping[int, Stock], commands: Sequence[Command], now: datetime) -> list[Line]:
    """Lists the events whose holds or waiting list have to be read, from their locked rows."""
    serving: dict[int, list[Command]] = {}
    for command in commands:
        if isinstance(command, _SERVING):
            serving.setdefault(command.event_id, []).append(command)
    found = (_line(stock, serving.get(stock.event_id, []), now) for stock in stocks.values())
    return [line for line in found if line is not None]


def later_reads(
    stocks: Mapping[int, Stock], commands: Sequence[Command]
) -> Iterator[tuple[str, list[Row]]]:
    """Lists the statements whose need shows in the locked rows, each with its parameters."""
    if sold := sold_bookings(stocks, commands):
        yield "named_payments", sold
    if buying := buyers(stocks, commands):
        yield "buyers_holds", buying
    if queued := admissions(stocks, commands):
        yield "admissions", queued


def buyers(stocks: Mapping[int, Stock], commands: Sequence[Command]) -> list[Row]:
    """Lists the users who may be given seats with a price, and their events.

    Such seats are held, and a user may hold only so many.
    """
    changing = {command.event_id for command in commands if isinstance(command, Apply)}
    priced = {event_id for event_id, stock in stocks.items() if stock.is_priced}
    asked = _users(commands, Reserve, Book)
    return [row for row in asked if row["event_id"] in priced | (changing & stocks.keys())]


def maps(stocks: Mapping[int, Stock]) -> list[int]:
    """Lists the events with assigned seats whose map is not loaded yet.

    Commands about seats have loaded it with the first statements.
    """
    return [
        event_id
        for event_id, stock in sorted(stocks.items())
        if stock.plan_id is not None and not stock.seats.is_loaded
    ]


def _line(stock: Stock, serving: Sequence[Command], now: datetime) -> Line | None:
    is_due = stock.next_expiry_at is not None and stock.next_expiry_at <= now
    if not is_due and not (stock.waiting and serving):
        return None
    applied = [command.state.capacity for command in serving if isinstance(command, Apply)]
    capacity = max([stock.capacity, *applied])
    # The most seats that can come free. Each can serve one entry.
    seats = capacity - stock.sold - stock.held + (stock.held if is_due else 0)
    seats += sum(booking.seat_count for booking in stock.bookings.values() if booking.is_live)
    # One more for each command, which may take an entry off the list, and one for a blocking head.
    limit = min(MAX_SERVED, max(seats, 0)) + len(serving) + 1 if stock.waiting else 0
    # Entries that want more seats than the event will have are passed, too.
    is_passed = (
        stock.skip_fit_after_seconds is not None
        or any(isinstance(command, SetSkipFit) for command in serving)
        or any(smaller < capacity for smaller in applied)
        or stock.blocked > 0
        or any(isinstance(command, BlockSeats) for command in serving)
    )
    return Line(stock.event_id, is_due, limit, capacity, max(seats, 0) if is_passed else None)


def _users(commands: Sequence[Command], *kinds: type[Any]) -> list[Row]:
    """Lists the events and users of the commands of the given types."""
    return [
        {"event_id": command.event_id, "user_id": command.user_id}
        for command in commands
        if isinstance(command, kinds)
    ]
