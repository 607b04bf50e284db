"""The rows of tickets: statements that lock, load and save them, and make their codes."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from services.bookings.inventory.changes import Kind, Ticket
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
                seats = {"seat_count": booking.seat_count, "seat_ids": booking.seat_ids}
                issued[booking.id] = asdict(ticket) | seats
    if issued:
        trip.call(SAVE_TICKETS, {"tickets": as_json(list(issued.values()))})
    if transferred:
        trip.call(TRANSFER_TICKETS, {"tickets": as_json(list(transferred.values())), "now": now})
