"""The client of bookings, which decides about events and counts their seats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import structlog

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from services.events.errors import (
    CapacityBelowBooked,
    Decided,
    InvalidTransition,
    VersionMismatch,
)
from services.events.events import messages
from services.events.events.results import EventDetails
from services.events.events.revisions import Event
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc.channel import call
from services.kit.rpc.errors import OutcomeUnknown, Refusal

DECIDE_SECONDS = 1.0
PUSH_SECONDS = 0.5
COUNT_SECONDS = 0.3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision of bookings about a change: a refusal, or how many bookings it cancelled."""

    refusal: Decided | None
    cancelled_bookings: int


@dataclass(frozen=True, slots=True)
class Availability:
    """How many seats of an event are left, and how many people wait for one."""

    left: int
    waiting: int


class BookingsClient:
    """Calls bookings. `service_key` is the secret by which services authenticate each other."""

    def __init__(self, channel: grpc.aio.Channel, service_key: str) -> None:
        self._inventory = inventory_pb2_grpc.InventoryServiceStub(channel)
        self._bookings = bookings_pb2_grpc.BookingsServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key if service_key else ""

    async def apply(self, event: Event) -> Decision:
        """Asks bookings to decide about a revision, which takes effect unless it is refused.

        Idempotent: a repetition gets the same decision. Raises OutcomeUnknown without a decision.
        """
        try:
            response = await self._apply(event, DECIDE_SECONDS)
        except Refusal as refusal:
            raise OutcomeUnknown from refusal
        return _decision(response)

    async def push(self, event: Event) -> bool:
        """Sends a committed revision to bookings; returns whether it is in force there now.

        A failure is logged, and only delays: bookings follows the feed.
        """
        try:
            response = await self._apply(event, PUSH_SECONDS)
        except Refusal as refusal:
            log.warning("bookings not told", event_id=event.id, reason=refusal.reason)
            return False
        if response.verdict == inventory_pb2.VERDICT_REFUSED:
            log.error("bookings refused what stands", event_id=event.id, reason=response.reason)
            return False
        return True

    async def details(self, events: Sequence[Event]) -> Sequence[EventDetails]:
        """Adds to at most 256 events the number of seats left now."""
        found = await self.availability([event.id for event in events])
        return [details(event, found.get(event.id)) for event in events]

    async def availability(self, event_ids: Sequence[int]) -> Mapping[int, Availability]:
        """Counts the seats of at most 256 events; omits those that bookings cannot count."""
        if not event_ids:
            return {}
        items = [bookings_pb2.GetAvailabilityRequest(event_id=number) for number in event_ids]
        request = bookings_pb2.BatchGetAvailabilityRequest(items=items)
        try:
            response = await call(
                self._bookings.BatchGetAvailability,
                request,
                timeout_seconds=COUNT_SECONDS,
                authorization=self._authorization,  # without the credential drafts would be omitted
            )
        except Refusal as refusal:
            log.warning("seats not counted", reason=refusal.reason)
            return {}
        found = [r.response for r in response.results if r.HasField("response")]
        return {counted.availability.event_id: _availability(counted) for counted in found}

    async def _apply(
        self, event: Event, timeout_seconds: float
    ) -> inventory_pb2.ApplyEventResponse:
        return await call(
            self._inventory.ApplyEvent,
            inventory_pb2.ApplyEventRequest(state=messages.state(event)),
            timeout_seconds=timeout_seconds,
            authorization=self._authorization,
        )


def details(event: Event, availability: Availability | None) -> EventDetails:
    """Adds the number of seats left to an event; a draft has all of its seats left."""
    if event.status == "DRAFT":
        return EventDetails(event, event.total_seats)
    return EventDetails(event, availability.left if availability else None)


def _availability(counted: bookings_pb2.GetAvailabilityResponse) -> Availability:
    return Availability(counted.availability.left, counted.waiting)


def _decision(response: inventory_pb2.ApplyEventResponse) -> Decision:
    if response.verdict == inventory_pb2.VERDICT_APPLIED:
        return Decision(None, response.cancelled_bookings)
    if response.verdict == inventory_pb2.VERDICT_STALE:
        return Decision(VersionMismatch(), 0)
    if response.verdict == inventory_pb2.VERDICT_REFUSED:
        refusal = _REFUSALS.get(response.reason, InvalidTransition)
        return Decision(refusal(inventory_revision=response.inventory_revision), 0)
    raise OutcomeUnknown


_REFUSALS: Mapping[str, type[Decided]] = {CapacityBelowBooked.reason: CapacityBelowBooked}
