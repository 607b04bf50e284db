"""The port to bookings: what it decides about an event, and how many seats it has left."""

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
from services.events.events.answers import Shown
from services.events.events.revisions import Event
from services.kit.auth.authentication import SERVICE_SCHEME
from services.kit.rpc.channel import call
from services.kit.rpc.errors import OutcomeUnknown, Refusal

VERDICT_SECONDS = 1.0
PUSH_SECONDS = 0.5
SEATS_SECONDS = 0.3

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What bookings decided about a change: why not, or how many live bookings it cancelled."""

    refusal: Decided | None
    cancelled_bookings: int


@dataclass(frozen=True, slots=True)
class Seats:
    """How many seats of an event are sold or held, how many are not, and how many people wait."""

    booked: int
    left: int
    waiting: int


class Inventory:
    """Asks bookings. `service_key` is the secret that the services know each other by."""

    def __init__(self, channel: grpc.aio.Channel, service_key: str) -> None:
        self._inventory = inventory_pb2_grpc.InventoryServiceStub(channel)
        self._bookings = bookings_pb2_grpc.BookingsServiceStub(channel)
        self._authorization = SERVICE_SCHEME + service_key if service_key else ""

    async def apply(self, event: Event) -> Verdict:
        """Puts an event's revision in force, or hears why not; the same again when repeated.

        Raises OutcomeUnknown when there is no verdict, for whatever cause.
        """
        try:
            response = await self._apply(event, VERDICT_SECONDS)
        except Refusal as refusal:
            raise OutcomeUnknown from refusal
        return _verdict(response)

    async def push(self, event: Event) -> bool:
        """Tells bookings of a revision that stands already, and whether that is in force there now.

        A failure is logged and only delays.
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

    async def show(self, events: Sequence[Event]) -> Sequence[Shown]:
        """Shows at most 256 events with the seats that are left of them now."""
        seats = await self.seats([event.id for event in events])
        return [shown(event, seats.get(event.id)) for event in events]

    async def seats(self, event_ids: Sequence[int]) -> Mapping[int, Seats]:
        """Counts the seats of at most 256 events; leaves out those that bookings cannot tell."""
        if not event_ids:
            return {}
        items = [bookings_pb2.GetAvailabilityRequest(event_id=number) for number in event_ids]
        request = bookings_pb2.BatchGetAvailabilityRequest(items=items)
        try:
            response = await call(
                self._bookings.BatchGetAvailability,
                request,
                timeout_seconds=SEATS_SECONDS,
                authorization=self._authorization,  # or there would be no drafts
            )
        except Refusal as refusal:
            log.warning("seats not counted", reason=refusal.reason)
            return {}
        found = [r.response for r in response.results if r.HasField("response")]
        return {counted.availability.event_id: _seats(counted) for counted in found}

    async def _apply(
        self, event: Event, timeout_seconds: float
    ) -> inventory_pb2.ApplyEventResponse:
        return await call(
            self._inventory.ApplyEvent,
            inventory_pb2.ApplyEventRequest(state=messages.state(event)),
            timeout_seconds=timeout_seconds,
            authorization=self._authorization,
        )


def shown(event: Event, seats: Seats | None) -> Shown:
    """Shows an event with the seats that were counted; nothing of a draft is ever booked."""
    if event.status == "DRAFT":
        return Shown(event, event.total_seats)
    return Shown(event, seats.left if seats else None)


def _seats(counted: bookings_pb2.GetAvailabilityResponse) -> Seats:
    seats = counted.availability
    return Seats(seats.booked, seats.left, counted.waiting)


def _verdict(response: inventory_pb2.ApplyEventResponse) -> Verdict:
    if response.verdict == inventory_pb2.VERDICT_APPLIED:
        return Verdict(None, response.cancelled_bookings)
    if response.verdict == inventory_pb2.VERDICT_STALE:
        return Verdict(VersionMismatch(), 0)
    if response.verdict == inventory_pb2.VERDICT_REFUSED:
        refusal = _REFUSALS.get(response.reason, InvalidTransition)
        return Verdict(refusal(inventory_revision=response.inventory_revision), 0)
    raise OutcomeUnknown


_REFUSALS: Mapping[str, type[Decided]] = {CapacityBelowBooked.reason: CapacityBelowBooked}
