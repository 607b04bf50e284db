"""The RPCs of tickets."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import grpc

from boxoffice.bookings.v1 import tickets_pb2, tickets_pb2_grpc
from services.bookings import asks
from services.bookings.access import Viewers, normalised
from services.bookings.asks import Decider
from services.bookings.catalogue.plans import Plans
from services.bookings.errors import AlreadyUsed, TicketNotFound
from services.bookings.references import BookingName
from services.bookings.seating.plan import Plan
from services.bookings.tickets import door_messages, messages, qr_codes
from services.bookings.tickets.bundles import Bundles
from services.bookings.tickets.check_in import CheckIn
from services.bookings.tickets.details import DoorTimes, TicketDetails
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.keys import TicketKeys
from services.bookings.tickets.tickets import TicketRequest, Tickets
from services.bookings.tickets.transfers import Accounts, Transfers
from services.kit.database.postgres import Pool, in_doubt
from services.kit.rpc import paging
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = tickets_pb2.DESCRIPTOR.services_by_name["TicketsService"]


class TicketsServicer(tickets_pb2_grpc.TicketsServiceServicer):
    """Serves boxoffice.bookings.v1.TicketsService."""

    def __init__(
        self,
        pool: Pool,
        decider: Decider,
        plans: Plans,
        *,
        keys: TicketKeys,
        documents: Documents,
        accounts: Accounts,
        door: DoorTimes,
        open_access: bool,
    ) -> None:
        self._decider = decider
        self._plans = plans
        self._door = door
        self._keys = keys
        self._tickets = Tickets(pool)
        self._transfers = Transfers(self._tickets, accounts)
        self._check_in = CheckIn(pool, self._keys, door)
        self._bundles = Bundles(pool)
        self._documents = documents
        self._viewers = Viewers(open_access)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(SERVICE, CreateTicket=self._issue)

    async def CreateTicket(
        self, request: tickets_pb2.CreateTicketRequest, _: Context
    ) -> tickets_pb2.CreateTicketResponse:
        """See tickets.proto."""
        return await answer_alone(self._issue, request, tickets_pb2.CreateTicketResponse)

    async def TransferTicket(
        self, request: tickets_pb2.TransferTicketRequest, _: Context
    ) -> tickets_pb2.TransferTicketResponse:
        """See tickets.proto."""
        response = await answer_alone(self._transfer, request, tickets_pb2.TransferTicketResponse)
        with in_doubt():
            [ticket] = await self._written([await self._tickets.find(UUID(request.ticket_id))])
        # A repeated response shows who got the ticket first.
        ticket.MergeFrom(response.ticket)
        response.ticket.CopyFrom(messages.without_codes(ticket))
        return response

    async def GetTicket(
        self, request: tickets_pb2.GetTicketRequest, _: Context
    ) -> tickets_pb2.GetTicketResponse:
        """See tickets.proto."""
        return tickets_pb2.GetTicketResponse(ticket=await self._get(request.ticket_id))

    async def ListUserTickets(
        self, request: tickets_pb2.ListUserTicketsRequest, _: Context
    ) -> tickets_pb2.ListUserTicketsResponse:
        """See tickets.proto."""
        user_id = normalised(request.user_id)
        page = paging.parse(
            request.page_size, request.page_token, scope=f"tickets of user {user_id}"
        )
        listed = await self._tickets.list_of_user(user_id, page, self._viewers.current())
        found, token = paging.cut(listed, page)
        return tickets_pb2.ListUserTicketsResponse(
            tickets=await self._written(found), next_page_token=token
        )

    async def RenderTicketQrCode(
        self, request: tickets_pb2.RenderTicketQrCodeRequest, _: Context
    ) -> tickets_pb2.RenderTicketQrCodeResponse:
        """See tickets.proto."""
        code = messages.code_of(await self._get(request.ticket_id), request)
        image = await asyncio.to_thread(qr_codes.draw, code, request.accept)
        return tickets_pb2.RenderTicketQrCodeResponse(
            body=messages.body(image), entity_tag=image.entity_tag
        )

    async def RenderTicketPdf(
        self, request: tickets_pb2.RenderTicketPdfRequest, _: Context
    ) -> tickets_pb2.RenderTicketPdfResponse:
        """See tickets.proto."""
        document = await self._documents.pdf(await self._details(request.ticket_id))
        return tickets_pb2.RenderTicketPdfResponse(
            body=messages.body(document), entity_tag=document.entity_tag
        )

    async def RenderTicketCalendar(
        self, request: tickets_pb2.RenderTicketCalendarRequest, _: Context
    ) -> tickets_pb2.RenderTicketCalendarResponse:
        """See tickets.proto."""
        document = await self._documents.calendar(await self._details(request.ticket_id))
        return tickets_pb2.RenderTicketCalendarResponse(
            body=messages.body(document), entity_tag=document.entity_tag
        )

    async def CheckInTicket(
        self, request: tickets_pb2.CheckInTicketRequest, _: Context
    ) -> tickets_pb2.CheckInTicketResponse:
        """See tickets.proto."""
        try:
            admitted = await self._check_in.admit(
                door_messages.scan(request), self._viewers.current()
            )
        except AlreadyUsed as refusal:
            raise door_messages.explain(refusal) from None
        with in_doubt():
            plan = await self._plan(admitted.plan_id)
        return door_messages.admission(admitted, plan)

    async def GetCheckInBundle(
        self, request: tickets_pb2.GetCheckInBundleRequest, _: Context
    ) -> tickets_pb2.GetCheckInBundleResponse:
        """See tickets.proto."""
        found = await self._bundles.get(request.event_id, self._viewers.current())
        plan, keys = await self._plan(found.event.plan_id), await self._keys.list()
        period = self._door.of(found.event.starts_at)
        return await asyncio.to_thread(door_messages.bundle, found, plan, period, keys)

    async def GetTicketKeys(
        self, request: tickets_pb2.GetTicketKeysRequest, _: Context
    ) -> tickets_pb2.GetTicketKeysResponse:
        """See tickets.proto."""
        return tickets_pb2.GetTicketKeysResponse(keys=map(messages.key, await self._keys.list()))

    async def _issue(
        self, items: Sequence[Item[tickets_pb2.CreateTicketRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = await self._tickets.asks_of([self._issuing(item) for item in items])
        response = tickets_pb2.CreateTicketResponse
        answered = await asks.answer(self._decider, asked, response, skip_busy=skip_busy)
        outcomes = [asks.parsed(each, response) for each in answered]
        try:
            with in_doubt():
                return await self._completed(items, outcomes)
        except Exception as error:  # noqa: BLE001 - the outcome of those that are issued
            return [each if isinstance(each, Refusal) else error for each in outcomes]

    async def _transfer(
        self, items: Sequence[Item[tickets_pb2.TransferTicketRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        asked = [
            await self._transfers.ask_for(
                UUID(item.request.ticket_id),
                item.request.email,
                self._viewers.of(item.caller),
                item.request.request_id,
            )
            for item in items
        ]
        response = tickets_pb2.TransferTicketResponse
        return await asks.answer(self._decider, asked, response, skip_busy=skip_busy)

    def _issuing(self, item: Item[tickets_pb2.CreateTicketRequest]) -> TicketRequest:
        viewer = self._viewers.of(item.caller)
        return TicketRequest(_booking(item.request), viewer, item.request.request_id)

    async def _completed(
        self,
        items: Sequence[Item[tickets_pb2.CreateTicketRequest]],
        outcomes: Sequence[tickets_pb2.CreateTicketResponse | Refusal],
    ) -> Sequence[Outcome]:
        """Adds to responses the tickets that they name, or refuses if these are others' by now."""
        named = {UUID(each.ticket.ticket_id) for each in outcomes if not isinstance(each, Refusal)}
        found = await self._tickets.find_all(named)
        written = dict(zip(found, await self._written([*found.values()]), strict=True))

        def complete(
            item: Item[Any], outcome: tickets_pb2.CreateTicketResponse | Refusal
        ) -> Outcome:
            if isinstance(outcome, Refusal):
                return outcome
            ticket_id = UUID(outcome.ticket.ticket_id)
            ticket = found.get(ticket_id)
            if ticket is None or not ticket.is_visible_to(self._viewers.of(item.caller)):
                return TicketNotFound()
            return messages.completed(outcome, written[ticket_id])

        return list(map(complete, items, outcomes))

    async def _details(self, ticket_id: str) -> TicketDetails:
        return await self._tickets.get(UUID(ticket_id), self._viewers.current())

    async def _get(self, ticket_id: str) -> tickets_pb2.Ticket:
        [written] = await self._written([await self._details(ticket_id)])
        return written

    async def _plan(self, plan_id: int | None) -> Plan | None:
        return None if plan_id is None else await self._plans.load(plan_id)

    async def _written(self, found: Sequence[TicketDetails]) -> list[tickets_pb2.Ticket]:
        """Writes tickets; signs codes in a thread, for 200 tickets may have 2,000 of them."""
        key = await self._keys.current()
        plan_ids = {each.plan_id for each in found if each.plan_id is not None}
        plans = {plan_id: await self._plans.load(plan_id) for plan_id in plan_ids}

        def write() -> list[tickets_pb2.Ticket]:
            return [
                messages.ticket(
                    each,
                    plans.get(each.plan_id) if each.plan_id else None,
                    key,
                    self._door.of(each.event_starts_at),
                )
                for each in found
            ]

        if any(each.shows_codes for each in found):
            return await asyncio.to_thread(write)
        return write()


def _booking(request: tickets_pb2.CreateTicketRequest) -> BookingName:
    if request.HasField("reservation_id"):
        return BookingName(reference=UUID(request.reservation_id))
    return BookingName(booking_id=request.booking_id)
