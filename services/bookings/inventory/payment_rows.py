"""The rows of payments: statements that load and save them, their refunds and providers' events."""

from collections.abc import Sequence
from datetime import datetime

from services.bookings.inventory.changes import Payment
from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, prepared

SQL = queries.load(__file__)
MOVE_PAYMENTS, ADD_PAYMENTS, LOCK_REFUNDS, SAVE_REFUNDS = (
    prepared(name, SQL[name])
    for name in ("move_payments", "add_payments", "lock_refunds", "save_refunds")
)
ADD_PROVIDER_EVENTS, MARK_REFUNDED = (
    prepared(name, SQL[name]) for name in ("add_provider_events", "mark_refunded")
)
_SUMS = ("received_minor", "refunding_minor", "refunded_minor")
_MOVING = (
    "event_id", "id", "status", "received_currency", "mismatched", "provider_reference",
    "settled_at",
)  # fmt: skip


def save(trip: RoundTrip, stocks: Sequence[Stock], now: datetime) -> None:
    """Adds the statements that save the payments of stocks to a round trip."""
    moved = [_moved(*pair) for stock in stocks for pair in stock.payments.moved()]
    if moved:
        trip.call(MOVE_PAYMENTS, {"payments": as_json(moved)})
    if new := [payment for stock in stocks for payment in stock.payments.new()]:
        trip.call(ADD_PAYMENTS, {"payments": as_json(new)})
    refunds = [row for stock in stocks for row in stock.refunds.new()]
    changed = [row for stock in stocks for _, row in stock.refunds.moved()]
    if changed:
        trip.call(LOCK_REFUNDS, {"moved": as_json(changed)})
    if refunds or changed:
        trip.call(SAVE_REFUNDS, {"new": as_json(refunds), "moved": as_json(changed)})
    if events := [row for stock in stocks for row in _provider_events(stock)]:
        trip.call(ADD_PROVIDER_EVENTS, {"events": as_json(events), "now": now})
    if refunded := [stock.event_id for stock in stocks if stock.refunds_written]:
        trip.call(MARK_REFUNDED, {"events": as_json(refunded)})


def _moved(before: Payment, after: Payment) -> dict[str, object]:
    """Returns the parameters of a changed payment, with the differences of its sums."""
    moved: dict[str, object] = {name: getattr(after, name) for name in _MOVING}
    return moved | {name: getattr(after, name) - getattr(before, name) for name in _SUMS}


def _provider_events(stock: Stock) -> list[dict[str, object]]:
    return [
        {"event_id": stock.event_id, "provider": provider, "id": name, "payment_id": payment_id}
        for provider, name, payment_id in stock.provider_events
    ]
