"""Locks and loads with the statements of store.sql: one round trip, and one more for the line.

There are no rules here. Rows read after the locks were taken stay true until the transaction ends.
Columns are read in the order of the fields that they fill.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.bookings.inventory import needs, payment_rows, queue_rows, seat_rows, ticket_rows
from services.bookings.inventory.changes import Booking, Entry, Payment, Refund, Ticket
from services.bookings.inventory.commands import Command, FeedPosition
from services.bookings.inventory.counters import Past
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.queue_commands import Admission
from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, Row, Rows, Statement, prepared

SQL = queries.load(__file__)
WAIT = prepared("wait", SQL["events"] + b"\nFOR NO KEY UPDATE")
SKIP_LOCKED = prepared("skip_locked", SQL["events"] + b"\nFOR NO KEY UPDATE SKIP LOCKED")
NO_LOCK = prepared("no_lock", SQL["events"])
CLOCK, TIME = prepared("clock", SQL["clock"]), prepared("time", SQL["time"])
SESSION: Mapping[str, str] = {
    # PostgreSQL plans each statement once, perhaps on empty tables: force the plans of full ones.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    # Limits how long a paused process can keep an event's row locked.
    "transaction_timeout": "5s",
}


@dataclass(slots=True)
class Loaded:
    """The data of a decision: locked stocks, the time and new ids."""

    now: datetime
    stocks: dict[int, Stock]
    identities: Identities
    position: FeedPosition | None = None
    busy: set[int] = field(default_factory=set)
    """Events that another transaction has locked."""


async def load(trip: RoundTrip, commands: Sequence[Command], *, lock: Statement) -> Loaded:
    """Locks the events of the commands and loads the rows that the commands need.

    `trip` begins a transaction and is sent here. `lock` is WAIT, SKIP_LOCKED or NO_LOCK; with
    NO_LOCK no ids are drawn, and the transaction ends here.
    """
    event_ids = sorted({command.event_id for command in commands})
    events = trip.read(lock, {"event_ids": _array(event_ids)})
    reads = [(name, _read(trip, name, asked)) for name, asked in needs.reads(commands)]
    if lock == NO_LOCK:
        times = trip.read(TIME, {})
        trip.command(b"COMMIT")
    else:
        times = trip.read(CLOCK, {"count": needs.ids(commands)})
    await trip.send()
    [(now, numbers)] = times.rows
    stocks = {stock.event_id: stock for stock in (Stock(*row) for row in events.rows)}
    loaded = Loaded(now, stocks, Identities(numbers, needs.ticket_ids(commands)))
    for name, result in reads:
        _ADD_ROWS[name](loaded, result.rows)
    missing = [event_id for event_id in event_ids if event_id not in stocks]
    if missing and lock != NO_LOCK:
        known = await trip.connection.execute(SQL["known_events"], {"event_ids": missing})
        loaded.busy = {event_id for (event_id,) in await known.fetchall()}
    return loaded


async def load_rest(trip: RoundTrip, loaded: Loaded, commands: Sequence[Command]) -> None:
    """Loads what depends on the rows that were loaded; `trip` is sent only if there is any.

    These are ended holds, the heads of waiting lists, the rows that `needs.later_reads` lists, and
    maps of seats that are still missing: commands that do not name seats need them, too, if their
    event has assigned seats.
    """
    lines = needs.lines(loaded.stocks, commands, loaded.now)
    later = list(needs.later_reads(loaded.stocks, commands))
    unmapped = needs.maps(loaded.stocks)
    due = [line for line in lines if line.is_due]
    waited = [line for line in lines if line.limit]
    if not (unmapped or lines or later):
        return
    limit = max(1, needs.MAX_EXPIRED // max(1, len(due)))
    blocks = _read(trip, "seat_blocks", [{"event_id": event_id} for event_id in unmapped])
    holds = _read(trip, "ended_holds", due, now=loaded.now, limit=limit)
    expiries = _read(trip, "next_expiries", due, now=loaded.now)
    heads = _read(trip, "line", waited)
    reads = [(name, _read(trip, name, asked)) for name, asked in later]
    await trip.send()
    stocks = loaded.stocks
    _add_maps(loaded, blocks.rows)
    _add_bookings(loaded, holds.rows)
    for name, result in reads:
        _ADD_ROWS[name](loaded, result.rows)
    for event_id, count in Counter(event_id for event_id, *_ in holds.rows).items():
        stocks[event_id].more_have_ended = count == limit
    for event_id, expires_next_at in expiries.rows:
        stocks[event_id].expires_next_at = expires_next_at
    numbers = []
    for *columns, number in heads.rows:
        entry = Entry(*columns)
        stocks[entry.event_id].line.append(entry)
        numbers.append(number)
    if None in numbers:
        # The sequence is on another node than the waiting list.
        numbers = await _drawn(trip.connection, len(numbers))
    loaded.identities.add(numbers)
    for line in waited:
        stock = stocks[line.event_id]
        stock.line_is_whole = line.is_whole(len(stock.line))


async def _drawn(connection: Connection, count: int) -> list[int]:
    """Draws ids of new bookings."""
    cursor = await connection.execute(SQL["ids"], {"count": count})
    return [number for (number,) in await cursor.fetchall()]


def _add_bookings(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        booking = Booking(*row)
        if stock := loaded.stocks.get(booking.event_id):
            stock.add(booking)


def _add_tickets(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        ticket = Ticket(*row)
        if stock := loaded.stocks.get(ticket.event_id):
            stock.tickets[ticket.booking_id] = ticket


def _add_locks(loaded: Loaded, rows: Iterable[Row]) -> None:
    for event_id, booking_id in rows:
        if stock := loaded.stocks.get(event_id):
            stock.uses[booking_id] = None


def _ignore(_: Loaded, __: Iterable[Row]) -> None:
    """Adds nothing: the statement only locks."""


def _add_uses(loaded: Loaded, rows: Iterable[Row]) -> None:
    """Adds when tickets were used, of those that are locked."""
    for event_id, booking_id, used_at in rows:
        stock = loaded.stocks.get(event_id)
        if stock and booking_id in stock.uses:
            stock.uses[booking_id] = used_at


def _add_payments(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        payment = Payment(*row)
        if stock := loaded.stocks.get(payment.event_id):
            stock.payments.load(payment)


def _add_unrefunded(loaded: Loaded, rows: Iterable[Row]) -> None:
    """Adds payments to be given back, and records whether these are all of their events."""
    found = list(rows)
    _add_payments(loaded, found)
    for event_id, count in Counter(event_id for event_id, *_ in found).items():
        if stock := loaded.stocks.get(event_id):
            stock.has_more_payments = count >= needs.MAX_REFUNDED


def _add_refunds(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        refund = Refund(*row)
        if stock := loaded.stocks.get(refund.event_id):
            stock.refunds.load(refund)


def _add_admissions(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        admission = Admission(*row)
        loaded.stocks[admission.event_id].admissions[admission.user_id] = admission


def _add_maps(loaded: Loaded, rows: Iterable[Row]) -> None:
    """Adds the loaded maps of seats to the stocks."""
    blocks: dict[int, list[tuple[int, bytes, bytes, bytes]]] = {}
    for event_id, number, taken, sold, blocked in rows:
        known = blocks.setdefault(event_id, [])
        if number is not None:
            known.append((number, taken, sold, blocked))
    for event_id, found in blocks.items():
        if stock := loaded.stocks.get(event_id):
            stock.seats.load(found, stock.capacity if stock.plan_id is not None else 0)


def _add_entries(loaded: Loaded, rows: Iterable[Row]) -> None:
    for row in rows:
        entry = Entry(*row)
        if stock := loaded.stocks.get(entry.event_id):
            stock.entries[entry.user_id] = entry


def _add_pasts(loaded: Loaded, rows: Iterable[Row]) -> None:
    for event_id, user_id, *past in rows:
        if stock := loaded.stocks.get(event_id):
            stock.pasts[user_id] = Past(*past)


def _mark_booked(loaded: Loaded, rows: Iterable[Row]) -> None:
    for (event_id,) in rows:
        if stock := loaded.stocks.get(event_id):
            stock.was_booked = True


def _set_position(loaded: Loaded, rows: Iterable[Row]) -> None:
    loaded.position = next((FeedPosition(*row) for row in rows), None)


_ADD_ROWS: Mapping[str, Callable[[Loaded, Iterable[Row]], None]] = {
    "exclusive_bookings": _add_bookings,
    "offered_bookings": _add_bookings,
    "users_bookings": _add_bookings,
    "named_bookings": _add_bookings,
    "rival_bookings": _add_bookings,
    "named_tickets": _add_tickets,
    "users_tickets": _add_tickets,
    "lock_tickets": _add_locks,
    "ticket_uses": _add_uses,
    "lock_payments": _ignore,
    "named_payments": _add_payments,
    "buyers_holds": _add_bookings,
    "admissions": _add_admissions,
    "unrefunded_payments": _add_unrefunded,
    "named_refunds": _add_refunds,
    "entries": _add_entries,
    "pasts": _add_pasts,
    "booked_events": _mark_booked,
    "seat_blocks": _add_maps,
    "seat_holders": _add_bookings,
    "users_holds": _add_bookings,
    "feed_position": _set_position,
}
_TEXTS = {**SQL, **ticket_rows.SQL, **seat_rows.SQL, **payment_rows.SQL, **queue_rows.SQL}
_STATEMENTS = {name: prepared(name, text) for name, text in _TEXTS.items()}


def _read(trip: RoundTrip, name: str, asked: Sequence[object], **values: object) -> Rows:
    return trip.read(_STATEMENTS[name], {"asked": as_json(asked), **values})


def _array(numbers: Iterable[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"
