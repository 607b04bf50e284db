"""A running bookings with a screening and a concert, and those who have tickets for them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from boxoffice.bookings.v1 import bookings_pb2, seats_pb2, tickets_pb2
from boxoffice.events.v1 import catalogue_pb2, seat_plans_pb2
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.bookings.rooms import PLAN_ID, hall, serialized
from tests.services.bookings.serving import Running, bookings_serving
from tests.services.issuer import ScriptedIssuer, account, serve_identity

OWNER = account("owner")
SCREENING, CONCERT, FREE = 1, 2, 3
EURO = {"currency": "EUR"}
STARTS_AT = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)


@dataclass
class Hall:
    """A running bookings: a priced screening, a priced and a free concert."""

    running: Running
    issuer: ScriptedIssuer

    async def call(self, name: str, request: Any, who: str = "", role: str = Role.USER) -> Any:
        """Calls an RPC of tickets as an account; without a token if there is none."""
        metadata = self.issuer.bearer(who, role) if who else None
        return await getattr(self.running.tickets, name)(request, metadata=metadata)

    async def hold(self, *seat_ids: int, who: str = "") -> str:
        """Holds seats of the screening; returns the reservation's id."""
        user = {} if who else {"user_id": "guest"}
        request = seats_pb2.HoldSeatsRequest(
            screening_id=SCREENING,
            seat_ids=seat_ids,
            **user,  # type: ignore[arg-type]
        )
        metadata = self.issuer.bearer(who) if who else None
        held = await self.running.seats.HoldSeats(request, metadata=metadata)
        return str(held.reservation.reservation_id)

    async def book(self, event_id: int, who: str = "guest") -> int:
        """Books a place at a concert as a guest; returns the number of the booking."""
        request = bookings_pb2.ReserveRequest(event_id=event_id, user_id=who)
        return int((await self.running.bookings.Reserve(request)).reservation.booking_id)

    async def create(self, who: str = "", **asked: Any) -> Any:
        """Asks for the ticket of a booking; returns the response."""
        return await self.call("CreateTicket", tickets_pb2.CreateTicketRequest(**asked), who)

    async def ticket(self, event_id: int = FREE) -> Any:
        """Books a place at a concert for somebody else than before; returns its ticket."""
        booking_id = await self.book(event_id, f"guest {uuid4()}")
        return (await self.create(booking_id=booking_id)).ticket

    async def get(self, ticket_id: str, who: str = "") -> Any:
        """Gets a ticket."""
        request = tickets_pb2.GetTicketRequest(ticket_id=ticket_id)
        return (await self.call("GetTicket", request, who)).ticket

    async def qr_code(self, ticket_id: str, **asked: Any) -> Any:
        """Gets a QR code of a ticket."""
        request = tickets_pb2.RenderTicketQrCodeRequest(ticket_id=ticket_id, **asked)
        return await self.call("RenderTicketQrCode", request)

    async def ticket_of(self, who: str, event_id: int = FREE) -> Any:
        """Books a place at a concert for an account; returns its ticket."""
        request = bookings_pb2.ReserveRequest(event_id=event_id)
        booked = await self.running.bookings.Reserve(request, metadata=self.issuer.bearer(who))
        booking_id = int(booked.reservation.booking_id)
        return (await self.create(who, booking_id=booking_id)).ticket

    async def transfer(self, ticket: Any, who: str, email: str, key: str = "") -> Any:
        """Transfers a ticket of an account; returns the response."""
        request = tickets_pb2.TransferTicketRequest(
            ticket_id=ticket.ticket_id, email=email, request_id=key
        )
        return await self.call("TransferTicket", request, who)

    async def pdf(self, ticket: Any) -> bytes:
        """Gets a ticket as PDF."""
        request = tickets_pb2.RenderTicketPdfRequest(ticket_id=ticket.ticket_id)
        return bytes((await self.call("RenderTicketPdf", request)).body.data)

    async def calendar(self, ticket: Any) -> str:
        """Gets the calendar of a ticket."""
        request = tickets_pb2.RenderTicketCalendarRequest(ticket_id=ticket.ticket_id)
        return str((await self.call("RenderTicketCalendar", request)).body.data.decode())

    async def scan(self, code: str, nonce: str, at: datetime | None = None, **asked: Any) -> Any:
        """Scans a code at the door, as the owner; returns the admission."""
        request = tickets_pb2.CheckInTicketRequest(code=code, nonce=nonce, **asked)
        if at:
            request.at.FromDatetime(at)
        return (await self.call("CheckInTicket", request, OWNER, Role.ORGANIZER)).admission

    async def bundle(self, event_id: int = FREE) -> Any:
        """Gets what the scanners of the owner need."""
        request = tickets_pb2.GetCheckInBundleRequest(event_id=event_id)
        return (await self.call("GetCheckInBundle", request, OWNER, Role.ORGANIZER)).bundle

    async def cancel(self, ticket: Any) -> None:
        """Cancels the booking of a ticket."""
        request = bookings_pb2.CancelBookingByReferenceRequest(reference=ticket.reference)
        await self.running.bookings.CancelBookingByReference(request)

    async def keys(self) -> dict[int, str]:
        """Returns the published keys by their numbers."""
        found = await self.call("GetTicketKeys", tickets_pb2.GetTicketKeysRequest())
        return {int(key.kid): key.x for key in found.keys}


def place() -> catalogue_pb2.EventPlace:
    """Returns where and when all events are."""
    made = catalogue_pb2.EventPlace(revision=1, time_zone="Europe/Berlin", venue="Roxy")
    made.starts_at.FromDatetime(STARTS_AT)
    return made


@pytest.fixture
async def house(database: Database) -> AsyncIterator[Hall]:
    """Opens bookings beside a scripted issuer, with events that have an owner."""
    issuer = ScriptedIssuer()
    server, target = await serve_identity(issuer)
    try:
        async with bookings_serving(database, accounts_target=target) as running:
            plan = seat_plans_pb2.SeatPlan.FromString(serialized(hall(2, 4)))
            running.catalogue.plans[PLAN_ID] = plan
            common: dict[str, Any] = {"organizer_id": OWNER, "starts_at": STARTS_AT}
            price = {"amount_minor": 900, **EURO}
            running.catalogue.put(SCREENING, total_seats=8, plan_id=PLAN_ID, price=price, **common)
            running.catalogue.put(CONCERT, price=price, **common)
            running.catalogue.put(FREE, **common)
            for event_id in (SCREENING, CONCERT, FREE):
                running.catalogue.places[event_id] = place()
            yield Hall(running, issuer)
    finally:
        await server.stop(None)
