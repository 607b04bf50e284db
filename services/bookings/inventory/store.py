"""Locking, loading and saving: the statements of store.sql, in two round trips.

No rule is here. What is read after the locks were taken stays true until the transaction ends, and
what the decision changed is written in one go, with the COMMIT.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from psycopg import AsyncCursor
from psycopg.rows import class_row, tuple_row

from services.bookings.access import is_account
from services.bookings.inventory import needs
from services.bookings.inventory.commands import Command, Place
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.needs import Line
from services.bookings.inventory.stock import Booking, Change, Entry, Kind, Past, Recorded, Stock
from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)
WAIT = SQL["events"] + b"\nFOR NO KEY UPDATE"
SKIP_LOCKED = WAIT + b" SKIP LOCKED"
NO_LOCK = SQL["events"]
SESSION: Mapping[str, str] = {
    # Plans are made once and while tables may still be empty: they must be those for full ones.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_material": "off",
    # A process that is paused while it holds an event's row loses it after this. The timeout of
    # idle transactions does not run after a pipeline.
    "transaction_timeout": "5s",
}


@dataclass(slots=True)
class Loaded:
    """What a decision is made on: the stocks whose locks are held, the time, and fresh ids."""

    now: datetime
    stocks: dict[int, Stock]
    identities: Identities
    place: Place | None = None
    busy: set[int] = field(default_factory=set)
    """Events that another transaction has locked."""


async def load(connection: Connection, commands: Sequence[Command], *, lock: bytes) -> Loaded:
    """Locks the events of the commands and loads what the commands need.

    `lock` is WAIT, SKIP_LOCKED or NO_LOCK; without locks no ids are drawn, and nothing may be
    saved. Call it in a pipeline, in a transaction that has changed nothing yet.
    """
    event_ids = sorted({command.event_id for command in commands})
    async with connection.pipeline():
        events = connection.cursor(binary=True, row_factory=class_row(Stock))
        await events.execute(lock, {"event_ids": event_ids})
        reads = [
            (name, await _execute(connection, name, values))
            for name, values in needs.reads(commands)
        ]
        clock = "time" if lock == NO_LOCK else "clock"
        times = await _execute(connection, clock, {"count": needs.ids(commands)})
    [(now, numbers)] = await times.fetchall()
    stocks = {stock.event_id: stock for stock in await events.fetchall()}
    loaded = Loaded(now, stocks, Identities(numbers))
    for name, cursor in reads:
        _ROWS[name].absorb(loaded, await cursor.fetchall())
    if missing := [event_id for event_id in event_ids if event_id not in stocks]:
        known = await connection.execute(SQL["known_events"], {"event_ids": missing})
        loaded.busy = {event_id for (event_id,) in await known.fetchall()}
    return loaded


async def load_line(connection: Connection, loaded: Loaded, lines: Sequence[Line]) -> None:
    """Loads what is needed where holds have ended or seats come free: those, and who waits."""
    due = [line.event_id for line in lines if line.is_due]
    waited = [line for line in lines if line.limit]
    asked = {
        "event_ids": [line.event_id for line in waited],
        "limits": [line.limit for line in waited],
        "capacities": [line.capacity for line in waited],
        "fits": [line.fits for line in waited],
    }
    async with connection.pipeline():
        values = {"event_ids": due, "now": loaded.now}
        holds = await _execute(connection, "ended_holds", values)
        expiries = await _execute(connection, "next_expiries", values)
        heads = await _execute(connection, "line", asked)
    stocks = loaded.stocks
    _know(loaded, await holds.fetchall())
    for event_id, expires_next_at in await expiries.fetchall():
        stocks[event_id].expires_next_at = expires_next_at
    numbers = []
    for *columns, number in await heads.fetchall():
        entry = Entry(*columns)
        stocks[entry.event_id].line.append(entry)
        numbers.append(number)
    loaded.identities.add(numbers)
    for line in waited:
        stock = stocks[line.event_id]
        stock.line_is_whole = line.is_whole(len(stock.line))


async def save(connection: Connection, stocks: Iterable[Stock], now: datetime) -> None:
    """Saves the changes of the stocks. Call it in a pipeline, before the COMMIT."""
    changed = [stock for stock in stocks if stock.is_changed]
    for name in ("open", "put_in_force"):
        rows = [
            _state(stock)
            for stock in changed
            if stock.state_changed and stock.is_new == (name == "open")
        ]
        if rows:
            await connection.execute(SQL[name], {"stocks": _json(rows)})
    saved = _Saved(now)
    for stock in changed:
        saved.add(stock)
    await connection.execute(SQL["save"], saved.rows(), binary=True)
    if saved.has_line:
        await connection.execute(SQL["save_line"], saved.line_rows(), binary=True)


class _Saved:
    """The rows that follow from changes, table by table."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._ledger: list[dict[str, object]] = []
        self._counters: list[dict[str, object]] = []
        self._bookings: dict[tuple[int, int], Booking] = {}
        self._new_bookings: set[tuple[int, int]] = set()
        self._joined: dict[tuple[int, int], dict[str, object]] = {}
        self._moved: dict[tuple[int, int], dict[str, object]] = {}
        self._blocked: list[dict[str, object]] = []
        self._notices: list[dict[str, object]] = []

    @property
    def has_line(self) -> bool:
        """Whether anything became of those who wait."""
        return bool(self._joined or self._moved or self._blocked or self._notices)

    def add(self, stock: Stock) -> None:
        """Adds all changes of a stock."""
        for recorded in stock.changes:
            self._add(stock.event_id, recorded)
        if not stock.state_changed:
            self._counters.append({"event_id": stock.event_id, **_counted(stock)})
        for place in set(stock.blocked):
            self._block(stock.event_id, place)

    def rows(self) -> dict[str, object]:
        """Returns the parameters of `save`."""
        new = [self._bookings[key] for key in self._new_bookings]
        moved = [
            booking for key, booking in self._bookings.items() if key not in self._new_bookings
        ]
        return {
            "ledger": _json(self._ledger),
            "counters": _json(self._counters),
            "new_bookings": _json(new),
            "moved_bookings": _json(moved),
            "now": self._now,
        }

    def line_rows(self) -> dict[str, object]:
        """Returns the parameters of `save_line`."""
        return {
            "joined": _json(list(self._joined.values())),
            "moved": _json(list(self._moved.values())),
            "blocked": _json(self._blocked),
            "notices": _json(self._notices),
            "now": self._now,
        }

    def _add(self, event_id: int, recorded: Recorded) -> None:
        rev, change, capacity = recorded
        booking = change.booking
        row = {
            "event_id": event_id,
            "rev": rev,
            "kind": change.kind,
            "user_id": change.user_id,
            "seats": change.sold + change.held,
        }
        if booking is None and change.place is None:
            row["capacity"] = capacity
        if booking is not None:
            row["booking_id"] = booking.id
            key = event_id, booking.id
            if change.kind in _MADE:
                self._new_bookings.add(key)
            self._bookings[key] = booking
        if change.place is not None:
            row["place"] = change.place
            self._add_entry(event_id, change)
        self._ledger.append(row)

    def _block(self, event_id: int, place: int) -> None:
        """Notes who blocks the line from now on; a statement writes no row twice."""
        key = event_id, place
        if key in self._joined:
            self._joined[key]["blocked_since"] = self._now
        elif key not in self._moved:
            self._blocked.append({"event_id": event_id, "place": place})

    def _add_entry(self, event_id: int, change: Change) -> None:
        booking = change.booking
        key = event_id, change.place or 0
        moved: dict[str, object] = {
            "event_id": event_id,
            "place": change.place,
            "state": change.state,
            "booking_id": booking.id if booking else None,
        }
        if joined := change.joined:
            moved |= {
                "user_id": joined.user_id,
                "seat_count": joined.seat_count,
                "joined_at": joined.joined_at,
            }
            self._joined[key] = moved
        elif key in self._joined:
            self._joined[key] |= moved
        else:
            self._moved[key] = moved
        is_served = change.kind in {Kind.SERVED, Kind.OFFERED}
        if is_served and booking is not None and is_account(booking.user_id):
            self._notices.append({"event_id": event_id, "booking_id": booking.id})


_MADE = frozenset({Kind.RESERVED, Kind.SERVED, Kind.OFFERED})
_STATE = (
    "event_id", "capacity", "closed_at", "closing", "frozen", "epoch", "catalogue_rev", "verdict",
    "refusal", "cancelled_bookings", "skip_fit_after_seconds", "key", "organizer_id", "name",
    "status", "deleted", "starts_at", "sales_open_at", "sales_close_at", "price_amount_minor",
    "price_currency", "one_booking_per_user",
)  # fmt: skip


def _state(stock: Stock) -> dict[str, object]:
    return {name: getattr(stock, name) for name in _STATE} | _counted(stock)


def _counted(stock: Stock) -> dict[str, object]:
    """Returns by how much the counters changed, and when the next hold ends now."""
    before, after = stock.before, stock.counters
    counted: dict[str, object] = {
        name: getattr(after, name) - getattr(before, name)
        for name in ("sold", "held", "live_bookings", "waiting", "last_place", "rev")
    }
    return counted | {"next_expiry_at": stock.next_expiry_at}


def _json(rows: Sequence[object]) -> str:
    return orjson.dumps(rows).decode()


def _know(loaded: Loaded, bookings: Iterable[Booking]) -> None:
    for booking in bookings:
        if stock := loaded.stocks.get(booking.event_id):
            stock.know(booking)


def _enter(loaded: Loaded, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if stock := loaded.stocks.get(entry.event_id):
            stock.entries[entry.user_id] = entry


def _look_back(loaded: Loaded, pasts: Iterable[Any]) -> None:
    for event_id, user_id, *past in pasts:
        if stock := loaded.stocks.get(event_id):
            stock.pasts[user_id] = Past(*past)


def _mark_booked(loaded: Loaded, event_ids: Iterable[tuple[int]]) -> None:
    for (event_id,) in event_ids:
        if stock := loaded.stocks.get(event_id):
            stock.was_booked = True


def _locate(loaded: Loaded, places: Iterable[Place]) -> None:
    loaded.place = next(iter(places), None)


class _Rows(NamedTuple):
    """How the rows of a statement are read, and what they add to what is loaded."""

    absorb: Callable[[Loaded, Any], None]
    row: type[Any] | None = None


_ROWS: Mapping[str, _Rows] = {
    "exclusive_bookings": _Rows(_know, Booking),
    "offered_bookings": _Rows(_know, Booking),
    "users_bookings": _Rows(_know, Booking),
    "named_bookings": _Rows(_know, Booking),
    "ended_holds": _Rows(_know, Booking),
    "entries": _Rows(_enter, Entry),
    "pasts": _Rows(_look_back),
    "booked_events": _Rows(_mark_booked),
    "place": _Rows(_locate, Place),
}


async def _execute(connection: Connection, name: str, values: dict[str, Any]) -> AsyncCursor[Any]:
    row = _ROWS[name].row if name in _ROWS else None
    factory: Any = tuple_row if row is None else class_row(row)
    return await connection.cursor(binary=True, row_factory=factory).execute(SQL[name], values)
