"""The rows of tickets: statements that lock, load and save them, and make their codes."""

from collections.abc import Sequence
from datetime import datetime

from services.bookings.inventory.changes import Booking, Kind, Ticket
from services.bookings.inventory.stock import Stock
from services.kit.database import queries
from services.kit.database.queries import as_json
from services.kit.database.round_trip import RoundTrip, prepared

SQL = queries.load(__file__)
SAVE_TICKETS, TRANSFER_TICKETS = (
    prepared(name, SQL[name]) for name in ("save_tickets", "transfer_tickets")
)


def save(trip: RoundTrip, stocks: Sequence[Stock], now: datetime) -> None:
    """Adds the statements that save the tickets of stocks to a round trip.

    They were issued, became valid, or have another user from now on.
    """
    issued: dict[int, dict[str, object]] = {}
    transferred: dict[int, Ticket] = {}
    for stock in stocks:
        for _, change, _ in stock.changes:
            booking, ticket = change.booking, change.ticket
            if booking is None or ticket is None:
                continue
            if change.kind is Kind.TRANSFERRED:
                transferred[booking.id] = ticket
            else:
                issued[booking.id] = _issued(booking, ticket)
    if issued:
        trip.call(SAVE_TICKETS, {"tickets": as_json(list(issued.values())), "now": now})
    if transferred:
        trip.call(TRANSFER_TICKETS, {"tickets": as_json(list(transferred.values())), "now": now})


def _issued(booking: Booking, ticket: Ticket) -> dict[str, object]:
    return {
        "event_id": ticket.event_id,
        "id": ticket.id,
        "booking_id": ticket.booking_id,
        "user_id": ticket.user_id,
        "created_at": ticket.created_at,
        "valid_at": ticket.valid_at,
        "seat_count": booking.seat_count,
        "seat_ids": booking.seat_ids,
    }
