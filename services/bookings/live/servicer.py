"""The RPC of LiveService: watches an event."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import live_pb2, live_pb2_grpc
from services.bookings.access import Viewer
from services.bookings.catalogue.availability import Availability
from services.bookings.live import messages
from services.bookings.live.live import Live, Position
from services.kit.rpc.callers import ANONYMOUS

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
NOBODY = Viewer(ANONYMOUS, open_access=False)
"""Streams are shared by all who watch an event, so they show what everybody may see."""


class LiveServicer(live_pb2_grpc.LiveServiceServicer):
    """Serves boxoffice.bookings.v1.LiveService."""

    def __init__(self, live: Live, availability: Availability) -> None:
        self._live = live
        self._availability = availability

    async def WatchEvent(
        self, request: live_pb2.WatchEventRequest, _: Context
    ) -> AsyncGenerator[live_pb2.WatchEventResponse, None]:
        """See live.proto."""
        seats = await self._availability.get(request.event_id, NOBODY)
        position = Position(request.after_revision, request.after_version)
        updates = self._live.watch(request.event_id, seats.rev, position, request.history)
        async with contextlib.aclosing(updates):
            async for update in updates:
                for response in messages.responses(update):
                    yield response
