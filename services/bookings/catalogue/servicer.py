"""The RPCs by which events and operators change an inventory."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import inventory_pb2, inventory_pb2_grpc
from services.bookings.catalogue import messages
from services.bookings.catalogue.following import Follower
from services.bookings.inventory import Inventory

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class InventoryServicer(inventory_pb2_grpc.InventoryServiceServicer):
    """Serves boxoffice.bookings.v1.InventoryService.

    `cancel` cancels a booking by its number and returns the inventory's revision.
    """

    def __init__(
        self, inventory: Inventory, follower: Follower, cancel: Callable[[int], Awaitable[int]]
    ) -> None:
        self._inventory = inventory
        self._follower = follower
        self._cancel = cancel

    async def ApplyEvent(
        self, request: inventory_pb2.ApplyEventRequest, _: Context
    ) -> inventory_pb2.ApplyEventResponse:
        """See inventory.proto."""
        state = messages.event_state(request.state)
        await self._follower.expect(state.epoch)
        return messages.apply_response(await self._inventory.apply(state))

    async def CancelBooking(
        self, request: inventory_pb2.CancelBookingRequest, _: Context
    ) -> inventory_pb2.CancelBookingResponse:
        """See inventory.proto."""
        rev = await self._cancel(request.booking_id)
        return inventory_pb2.CancelBookingResponse(inventory_revision=rev)
