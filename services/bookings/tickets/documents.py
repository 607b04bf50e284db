"""Draws the documents of a ticket, with where and when its event is from the service events."""

import asyncio

from services.bookings.catalogue.places import Place, Places
from services.bookings.catalogue.plans import Plans
from services.bookings.seating.plan import Plan
from services.bookings.tickets import calendars, pdfs
from services.bookings.tickets.details import DoorTimes, TicketDetails
from services.bookings.tickets.keys import TicketKeys
from services.bookings.tickets.printed import Document, PrintedTicket
from services.kit.rpc.errors import Refusal, Unavailable


class Documents:
    """Draws documents. Equal tickets have equal documents, byte for byte."""

    def __init__(self, keys: TicketKeys, plans: Plans, door: DoorTimes, places: Places) -> None:
        self._keys = keys
        self._plans = plans
        self._door = door
        self._places = places
        self._drawing = asyncio.Semaphore(1)

    async def pdf(self, ticket: TicketDetails) -> Document:
        """Draws a page for each seat.

        Raises AwaitingPayment and TicketRevoked, and Unavailable if events is down. One ticket is
        drawn at a time, in a thread: drawing takes as much of a processor as it gets.
        """
        ticket.expect_to_admit()
        place, plan = await self.place(ticket), await self._plan(ticket)
        key = await self._keys.current()
        async with self._drawing:
            data = await asyncio.to_thread(
                lambda: pdfs.draw(PrintedTicket.of(ticket, place, plan, key=key, door=self._door))
            )
        return Document.of(pdfs.MEDIA_TYPE, data)

    async def calendar(self, ticket: TicketDetails) -> Document:
        """Writes a calendar with the event of a ticket.

        Raises AwaitingPayment, TicketRevoked of a ticket that never was valid, NoCalendar, and
        Unavailable if events is down.
        """
        ticket.expect_to_have_been_valid()
        place, plan = await self.place(ticket), await self._plan(ticket)
        data = await asyncio.to_thread(calendars.write, ticket, place, plan)
        return Document.of(calendars.MEDIA_TYPE, data)

    async def place(self, ticket: TicketDetails) -> Place:
        """Gets where and when the event of a ticket is; raises Unavailable if events is down."""
        try:
            return await self._places.get_place(ticket.event_id)
        except Refusal as refusal:
            raise Unavailable from refusal

    async def _plan(self, ticket: TicketDetails) -> Plan | None:
        return None if ticket.plan_id is None else await self._plans.load(ticket.plan_id)
