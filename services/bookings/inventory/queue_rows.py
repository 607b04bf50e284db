"""The rows of queues that the core reads and writes: settings, and the admissions of users."""

from collections.abc import Sequence
from dataclasses import asdict

from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, prepared

SQL = queries.load(__file__)
ADD_QUEUES, SET_QUEUES, MARK_DONE = (
    prepared(name, SQL[name]) for name in ("add_queues", "set_queues", "mark_done")
)


def save(trip: RoundTrip, stocks: Sequence[Stock]) -> None:
    """Adds the statements that save the queues of stocks to a round trip."""
    if queues := [_settings(stock) for stock in stocks if stock.queue_settings is not None]:
        trip.call(ADD_QUEUES, {"queues": as_json(queues)})
        trip.call(SET_QUEUES, {"queues": as_json(queues)})
    users = {
        (stock.event_id, change.booking.user_id)
        for stock in stocks
        if stock.queue_since is not None
        for _, change, _ in stock.changes
        if change.booking is not None and change.booking.status == "CONFIRMED"
    }
    if users:
        booked = [{"event_id": event_id, "user_id": user_id} for event_id, user_id in sorted(users)]
        trip.call(MARK_DONE, {"users": as_json(booked)})


def _settings(stock: Stock) -> dict[str, object]:
    settings = stock.queue_settings
    if settings is None:
        raise ValueError(f"the queue of event {stock.event_id} is not set")
    row = asdict(settings) | {"seed": settings.seed.hex()}
    return {"event_id": stock.event_id, "enabled": stock.queue_since is not None, **row}
