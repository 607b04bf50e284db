"""A stand-in for bookings, with scripted verdicts and faults."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from boxoffice.events.v1 import catalogue_pb2, events_pb2

SERVICE_KEY = "between-services"
INVENTORY_REVISION = 7
Trouble = Callable[[], Awaitable[object]]


async def crash() -> NoReturn:
    """Fails as a call to a killed process does, without a refusal of Boxoffice."""
    raise ConnectionError


async def hang() -> None:
    """Does not respond before the caller gives up."""
    await asyncio.Event().wait()


@dataclass
class ScriptedBookings(
    inventory_pb2_grpc.InventoryServiceServicer, bookings_pb2_grpc.BookingsServiceServicer
):
    """Decides about states as bookings does; the test sets the bookings.

    `trouble` runs before each ApplyEvent, `trouble_after` after it, and `seats_trouble` before
    seats are counted.
    """

    booked: dict[int, int] = field(default_factory=dict)
    waiting: dict[int, int] = field(default_factory=dict)
    trouble: Trouble | None = None
    trouble_after: Trouble | None = None
    seats_trouble: Trouble | None = None
    heard: list[catalogue_pb2.EventState] = field(default_factory=list)
    states: dict[int, catalogue_pb2.EventState] = field(default_factory=dict)
    verdicts: dict[int, inventory_pb2.ApplyEventResponse] = field(default_factory=dict)
    counted: int = 0

    async def ApplyEvent(  # noqa: N802 - named by the contract
        self, request: inventory_pb2.ApplyEventRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> inventory_pb2.ApplyEventResponse:
        """Decides about a state; the same again for the same revision."""
        metadata = dict(context.invocation_metadata() or ())
        assert metadata["authorization"] == f"Service {SERVICE_KEY}"
        self.heard.append(request.state)
        if self.trouble:
            await self.trouble()
        response = self._judge(request.state)
        if self.trouble_after:
            await self.trouble_after()
        return response

    async def BatchGetAvailability(  # noqa: N802 - named by the contract
        self,
        request: bookings_pb2.BatchGetAvailabilityRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> bookings_pb2.BatchGetAvailabilityResponse:
        """Counts the seats of the events whose state was applied."""
        self.counted += 1
        if self.seats_trouble:
            await self.seats_trouble()
        results = [self._count(item.event_id) for item in request.items]
        return bookings_pb2.BatchGetAvailabilityResponse(results=results)

    def _judge(self, state: catalogue_pb2.EventState) -> inventory_pb2.ApplyEventResponse:
        stored = self.states.get(state.event_id)
        if stored and state.revision < stored.revision:
            return inventory_pb2.ApplyEventResponse(verdict=inventory_pb2.VERDICT_STALE)
        if not stored or state.revision > stored.revision:
            self.verdicts[state.event_id] = self._decide(stored, state)
        return self.verdicts[state.event_id]

    def _decide(
        self, stored: catalogue_pb2.EventState | None, state: catalogue_pb2.EventState
    ) -> inventory_pb2.ApplyEventResponse:
        booked = self.booked.get(state.event_id, 0)
        closes = state.deleted or state.status == events_pb2.EVENT_STATUS_CANCELLED
        if reason := self._objection(stored, state, 0 if closes else booked):
            assert stored is not None
            stored.revision = state.revision
            return inventory_pb2.ApplyEventResponse(
                verdict=inventory_pb2.VERDICT_REFUSED,
                reason=reason,
                inventory_revision=INVENTORY_REVISION,
            )
        self.states[state.event_id] = state
        if closes:
            self.booked[state.event_id] = 0
        return inventory_pb2.ApplyEventResponse(
            verdict=inventory_pb2.VERDICT_APPLIED, cancelled_bookings=booked if closes else 0
        )

    def _objection(
        self,
        stored: catalogue_pb2.EventState | None,
        state: catalogue_pb2.EventState,
        booked: int,
    ) -> str:
        if not stored or not booked:
            return ""
        if state.plan_id != stored.plan_id:
            return "INVALID_TRANSITION"
        if state.total_seats < booked:
            return "CAPACITY_BELOW_BOOKED"
        becomes_draft = state.status == events_pb2.EVENT_STATUS_DRAFT
        rule_changes = _rule(state) != _rule(stored)
        return "INVALID_TRANSITION" if becomes_draft or rule_changes else ""

    def _count(self, event_id: int) -> bookings_pb2.BatchGetAvailabilityResult:
        state = self.states.get(event_id)
        if state is None or state.status == events_pb2.EVENT_STATUS_DRAFT:
            return bookings_pb2.BatchGetAvailabilityResult(error={"code": 5})
        total, booked = state.total_seats, self.booked.get(event_id, 0)
        availability = bookings_pb2.Availability(
            event_id=event_id, total_seats=total, booked=booked, left=total - booked
        )
        return bookings_pb2.BatchGetAvailabilityResult(
            response=bookings_pb2.GetAvailabilityResponse(
                availability=availability, waiting=self.waiting.get(event_id, 0)
            )
        )


def _rule(state: catalogue_pb2.EventState) -> bool | None:
    return state.one_booking_per_user if state.HasField("one_booking_per_user") else None
