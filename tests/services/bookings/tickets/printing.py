"""Printed tickets for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.bookings.catalogue.places import Place
from services.bookings.tickets.details import DoorTimes, TicketDetails
from services.bookings.tickets.printed import PrintedTicket
from tests.services.bookings.rooms import PLAN_ID, hall
from tests.services.bookings.tickets.test_codes import KEY

STARTS_AT = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
PLACE = Place(3, STARTS_AT, STARTS_AT + timedelta(hours=2), "Europe/Berlin", "Roxy", "Hall 1")
PLAN = hall()
TICKET = TicketDetails(
    event_id=1,
    ticket_id=UUID(int=1),
    booking_id=2,
    reference=UUID(int=3),
    user_id="guest",
    status="VALID",
    price_amount_minor=1_800,
    price_currency="EUR",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC),
    event_name="Concert",
    event_starts_at=STARTS_AT,
    event_organizer_id=None,
    plan_id=PLAN_ID,
    code_ids=[UUID(int=4), UUID(int=5)],
    seat_ids=[3, 4],
    used_at=[None, None],
    valid_at=STARTS_AT - timedelta(days=1),
)


def printed(place: Place = PLACE, **changes: Any) -> PrintedTicket:
    """Returns a ticket of two seats as documents show it."""
    ticket = replace(TICKET, **changes)
    plan = PLAN if ticket.plan_id else None
    return PrintedTicket.of(ticket, place, plan, key=KEY, door=DoorTimes())
