"""The tables in memory. A batch loads exactly the rows that needs.py lists."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from uuid import UUID

from services.bookings.access import is_account
from services.bookings.inventory import needs
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Command
from services.bookings.inventory.counters import Past
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.needs import Line
from services.bookings.inventory.stock import Stock
from tests.services.bookings.inventory.tables import Tables, columns_of


class Memory:
    """All events. `omitted` names reads that are left out, as if needs.py had forgotten them."""

    def __init__(self, omitted: Iterable[str] = ()) -> None:
        self.events: dict[int, Tables] = {}
        self._last_id = 0
        self._omitted = frozenset(omitted)

    def load(
        self, commands: Sequence[Command], now: datetime
    ) -> tuple[dict[int, Stock], Identities]:
        """Loads what the commands need, as store.py does."""
        events = self.events
        event_ids = sorted({command.event_id for command in commands})
        stocks = {
            number: Stock(*events[number].inventory) for number in event_ids if number in events
        }
        identities = Identities(self._draw(needs.ids(commands)), needs.ticket_ids(commands))
        for name, asked in needs.reads(commands):
            for row in asked if name not in self._omitted else ():
                event_id, *key = row.values()
                if event_id in stocks:
                    _READS[name](stocks[event_id], events[event_id], *key)
        for row in needs.sold_bookings(stocks, commands):
            if "sold_bookings" not in self._omitted:
                event_id, booking_id = row.values()
                _named_payments(stocks[event_id], events[event_id], booking_id)
        for event_id in needs.maps(stocks):
            _seat_blocks(stocks[event_id], events[event_id])
        for event_id, user_id in map(dict.values, needs.buyers(stocks, commands)):
            if "buyers_holds" not in self._omitted:
                _buyers_holds(stocks[event_id], events[event_id], user_id)
        for line in needs.lines(stocks, commands, now):
            self._load_line(stocks[line.event_id], line, now, identities)
        return stocks, identities

    def save(self, stocks: Mapping[int, Stock], now: datetime) -> None:
        """Saves what was decided."""
        for event_id, stock in stocks.items():
            if stock.is_new:
                self.events[event_id] = Tables(columns_of(stock))
            self.events[event_id].save(stock, now)

    def _draw(self, count: int) -> range:
        self._last_id += count
        return range(self._last_id - count + 1, self._last_id + 1)

    def _load_line(self, stock: Stock, line: Line, now: datetime, identities: Identities) -> None:
        tables = self.events[stock.event_id]
        if line.is_due:
            held = [each for each in tables.live.values() if each.expires_at is not None]
            ends = [each.expires_at for each in held if each.expires_at and each.expires_at > now]
            stock.expires_next_at = min(ends, default=None)
            if "ended_holds" not in self._omitted:
                for booking in held:
                    if tables.has_ended(booking, now):
                        stock.add(tables.loaded(booking))
        if not line.limit:
            return
        waiting = tables.line.values()
        first = islice((each for each in waiting if each.seat_count <= line.capacity), line.limit)
        found = {each.place: each for each in first}
        if line.fits is not None:
            fitting = (each for each in waiting if each.seat_count <= line.fits)
            found |= {each.place: each for each in islice(fitting, needs.MAX_FITTING)}
        stock.line = [found[place] for place in sorted(found)]
        stock.line_is_whole = line.is_whole(len(stock.line))
        identities.add(self._draw(len(stock.line)))


def _exclusive_bookings(stock: Stock, tables: Tables, user_id: str) -> None:
    for booking in tables.live.values():
        if booking.exclusive and booking.user_id == user_id:
            stock.add(tables.loaded(booking))


def _offered_bookings(stock: Stock, tables: Tables, user_id: str) -> None:
    if number := tables.offered.get(user_id):
        stock.add(tables.loaded(tables.bookings[number]))


def _users_bookings(stock: Stock, tables: Tables, user_id: str) -> None:
    for booking in tables.live.values():
        if booking.user_id == user_id:
            stock.add(tables.loaded(booking))


def _pasts(stock: Stock, tables: Tables, user_id: str) -> None:
    had = tables.had.get(user_id)
    stock.pasts[user_id] = Past(had is not None, bool(had), user_id in tables.waited)


def _entries(stock: Stock, tables: Tables, user_id: str) -> None:
    if place := tables.waiting.get(user_id):
        position = 1 + sum(1 for other in tables.line if other < place)
        stock.entries[user_id] = replace(tables.line[place], position=position)


def _named_bookings(stock: Stock, tables: Tables, booking_id: int) -> None:
    if booking := tables.bookings.get(booking_id):
        stock.add(tables.loaded(booking))


def _named_tickets(stock: Stock, tables: Tables, booking_id: int) -> None:
    if ticket := tables.tickets.get(booking_id):
        stock.tickets[booking_id] = ticket


def _named_payments(stock: Stock, tables: Tables, booking_id: int) -> None:
    for payment in tables.payments.values():
        if payment.booking_id == booking_id:
            stock.payments.load(payment)


def _named_refunds(stock: Stock, tables: Tables, refund_id: UUID) -> None:
    if refund := tables.refunds.get(refund_id):
        stock.refunds.load(refund)


def _unrefunded_payments(stock: Stock, tables: Tables, _: int) -> None:
    for payment in tables.payments.values():
        if payment.left_minor:
            stock.payments.load(payment)


def _rival_bookings(stock: Stock, tables: Tables, booking_id: int) -> None:
    if booking := tables.bookings.get(booking_id):
        _exclusive_bookings(stock, tables, booking.user_id)


def _users_tickets(stock: Stock, tables: Tables, user_id: str) -> None:
    for number, booking in tables.live.items():
        if booking.user_id == user_id and number in tables.tickets:
            stock.tickets[number] = tables.tickets[number]


def _booked_events(stock: Stock, tables: Tables) -> None:
    stock.was_booked = bool(tables.bookings)


def _seat_blocks(stock: Stock, tables: Tables) -> None:
    is_seated = stock.plan_id is not None
    stock.seats.load([block[:4] for block in tables.blocks.values()], stock.capacity * is_seated)


def _users_holds(stock: Stock, tables: Tables, user_id: str) -> None:
    for booking in _holds(tables, user_id):
        if booking.seat_ids:
            stock.add(booking)


def _buyers_holds(stock: Stock, tables: Tables, user_id: str) -> None:
    for booking in _holds(tables, user_id):
        stock.add(booking)


def _holds(tables: Tables, user_id: str) -> Iterator[Booking]:
    """Lists a user's holds, and those of an account that ended."""
    for booking in tables.bookings.values():
        is_held = booking.status == "HELD"
        has_ended = not booking.is_live and booking.expires_at is not None
        if booking.user_id == user_id and (is_held or (has_ended and is_account(user_id))):
            yield tables.loaded(booking)


def _seat_holders(stock: Stock, tables: Tables, seat_id: int) -> None:
    if number := tables.claims.get(seat_id):
        stock.add(tables.loaded(tables.bookings[number]))


_READS: Mapping[str, Callable[..., None]] = {
    "exclusive_bookings": _exclusive_bookings,
    "offered_bookings": _offered_bookings,
    "users_bookings": _users_bookings,
    "pasts": _pasts,
    "entries": _entries,
    "named_bookings": _named_bookings,
    "named_tickets": _named_tickets,
    "lock_payments": lambda *_: None,
    "named_payments": _named_payments,
    "named_refunds": _named_refunds,
    "unrefunded_payments": _unrefunded_payments,
    "rival_bookings": _rival_bookings,
    "users_tickets": _users_tickets,
    "booked_events": _booked_events,
    "seat_blocks": _seat_blocks,
    "users_holds": _users_holds,
    "seat_holders": _seat_holders,
}
