"""Saves decisions with the statements of saving.sql, in the round trip of the COMMIT.

Every row follows from the changes of the stocks: bookings, ledger, counters, waiting list and
notices.
"""

from collections.abc import Iterable
from datetime import datetime

from services.bookings.access import is_account
from services.bookings.inventory import payment_rows, queue_rows, seat_rows, ticket_rows
from services.bookings.inventory.changes import Booking, Change, Kind, Recorded
from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, prepared

SQL = queries.load(__file__)
OPEN, PUT_IN_FORCE, SAVE, SAVE_LINE = (
    prepared(name, SQL[name]) for name in ("open", "put_in_force", "save", "save_line")
)


def save(trip: RoundTrip, stocks: Iterable[Stock], now: datetime) -> None:
    """Adds the statements that save the changes of the stocks to a round trip."""
    changed = [stock for stock in stocks if stock.is_changed]
    for statement, is_new in ((OPEN, True), (PUT_IN_FORCE, False)):
        rows = [
            _state(stock) for stock in changed if stock.state_changed and stock.is_new == is_new
        ]
        if rows:
            trip.call(statement, {"stocks": as_json(rows)})
    saved = _Saved(now)
    for stock in changed:
        saved.add(stock)
    if changed:
        trip.call(SAVE, saved.rows())
    if saved.has_line:
        trip.call(SAVE_LINE, saved.line_rows())
    ticket_rows.save(trip, changed, now)
    seat_rows.save(trip, changed)
    queue_rows.save(trip, changed)
    payment_rows.save(trip, [stock for stock in changed if stock.has_money], now)


class _Saved:
    """The rows of each table that follow from the changes."""

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
        """Whether the waiting list changed."""
        return bool(self._joined or self._moved or self._blocked or self._notices)

    def add(self, stock: Stock) -> None:
        """Adds all changes of a stock."""
        for recorded in stock.changes:
            self._add(stock.event_id, recorded)
        if not stock.state_changed:
            self._counters.append({"event_id": stock.event_id, **_counted(stock)})
        for place in set(stock.blocking):
            self._block(stock.event_id, place)

    def rows(self) -> dict[str, object]:
        """Returns the parameters of `save`."""
        new = [self._bookings[key] for key in self._new_bookings]
        moved = [
            booking for key, booking in self._bookings.items() if key not in self._new_bookings
        ]
        return {
            "ledger": as_json(self._ledger),
            "counters": as_json(self._counters),
            "new_bookings": as_json(new),
            "moved_bookings": as_json(moved),
            "now": self._now,
        }

    def line_rows(self) -> dict[str, object]:
        """Returns the parameters of `save_line`."""
        return {
            "joined": as_json(list(self._joined.values())),
            "moved": as_json(list(self._moved.values())),
            "blocked": as_json(self._blocked),
            "notices": as_json(self._notices),
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
            "seats": change.sold + change.held + change.blocked,
        }
        if change.kind in _SIZED:
            row["capacity"] = capacity
        if seat_ids := booking.seat_ids if booking else change.seat_ids:
            row["seat_ids"] = seat_ids
        if booking is not None:
            row["booking_id"] = booking.id
            key = event_id, booking.id
            if change.kind in _MADE:
                self._new_bookings.add(key)
            if change.kind not in _OF_TICKETS:
                self._bookings[key] = booking
        if change.payment is not None:
            row["booking_id"] = change.payment.booking_id
        if change.place is not None:
            row["place"] = change.place
            self._add_entry(event_id, change)
        self._ledger.append(row)

    def _block(self, event_id: int, place: int) -> None:
        """Records that an entry blocks the line; a statement never writes a row twice."""
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


_MADE = frozenset({Kind.RESERVED, Kind.SERVED, Kind.OFFERED, Kind.HELD})
_OF_TICKETS = frozenset({Kind.TICKETED, Kind.TRANSFERRED})
"""These leave their booking as it is."""
_SIZED = frozenset({Kind.OPENED, Kind.RESIZED, Kind.CLOSED})
_STATE = (
    "event_id", "capacity", "closed_at", "closing", "frozen", "epoch", "catalogue_rev", "verdict",
    "refusal", "cancelled_bookings", "skip_fit_after_seconds", "key", "organizer_id", "name",
    "status", "deleted", "starts_at", "sales_open_at", "sales_close_at", "price_amount_minor",
    "price_currency", "one_booking_per_user", "plan_id", "seat_type_prices", "orphan_rule",
    "refund_until", "queue_since",
)  # fmt: skip


def _state(stock: Stock) -> dict[str, object]:
    return {name: getattr(stock, name) for name in _STATE} | _counted(stock)


def _counted(stock: Stock) -> dict[str, object]:
    """Returns the differences of the counters, and when the next hold ends."""
    before, after = stock.before, stock.counters
    counted: dict[str, object] = {
        name: getattr(after, name) - getattr(before, name)
        for name in ("sold", "held", "blocked", "live_bookings", "waiting", "last_place", "rev")
    }
    return counted | {"next_expiry_at": stock.next_expiry_at}
