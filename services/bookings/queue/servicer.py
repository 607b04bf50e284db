"""The RPCs of queues: joining, reading, leaving and setting them; who waits, for gateways."""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, TypeAlias

import grpc

from boxoffice.bookings.v1 import queue_pb2, queue_pb2_grpc
from services.bookings.access import Viewer, Viewers
from services.bookings.asks import Decider, expect
from services.bookings.catalogue.availability import Availability
from services.bookings.inventory import Ask
from services.bookings.inventory.commands import Done
from services.bookings.inventory.queue_commands import SetQueue
from services.bookings.queue import messages
from services.bookings.queue.queues import Holder, Place, Queues
from services.bookings.queue.watching import QueueWatches
from services.kit.rpc.callers import ANONYMOUS
from services.kit.rpc.errors import Refusal
from services.kit.server.batch import Handler, Item, Outcome, answer_alone, handlers_of

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
SERVICE = queue_pb2.DESCRIPTOR.services_by_name["QueueService"]
NOBODY = Viewer(ANONYMOUS, open_access=False)
"""Who waits is shown to all who watch an event, so only of events that everybody may see."""


class QueueServicer(queue_pb2_grpc.QueueServiceServicer):
    """Serves boxoffice.bookings.v1.QueueService."""

    def __init__(
        self, queues: Queues, decider: Decider, availability: Availability, *, open_access: bool
    ) -> None:
        self._queues = queues
        self._decider = decider
        self._availability = availability
        self._viewers = Viewers(open_access)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers of the methods whose requests share batches."""
        return handlers_of(SERVICE, JoinQueue=self._join, GetQueue=self._get)

    async def JoinQueue(
        self, request: queue_pb2.JoinQueueRequest, _: Context
    ) -> queue_pb2.JoinQueueResponse:
        """See queue.proto."""
        return await answer_alone(self._join, request, queue_pb2.JoinQueueResponse)

    async def GetQueue(
        self, request: queue_pb2.GetQueueRequest, _: Context
    ) -> queue_pb2.GetQueueResponse:
        """See queue.proto."""
        return await answer_alone(self._get, request, queue_pb2.GetQueueResponse)

    async def LeaveQueue(
        self, request: queue_pb2.LeaveQueueRequest, _: Context
    ) -> queue_pb2.LeaveQueueResponse:
        """See queue.proto."""
        viewer = self._viewers.current()
        await self._availability.get(request.event_id, viewer)
        holder = Holder(request.event_id, request.queue_token, viewer.caller.subject)
        await self._queues.leave(holder)
        return queue_pb2.LeaveQueueResponse()

    async def SetQueue(
        self, request: queue_pb2.SetQueueRequest, _: Context
    ) -> queue_pb2.SetQueueResponse:
        """See queue.proto."""
        viewer, event_id = self._viewers.current(), request.event_id
        seats = await self._availability.get(event_id, viewer)
        viewer.expect_to_change_event(seats.organizer_id)
        command = SetQueue(event_id, request.enabled, messages.settings(request), viewer)
        [outcome] = await self._decider.decide([Ask(command)], skip_busy=False)
        expect(outcome, Done)
        standing = await self._queues.get(event_id, anew=True)
        return queue_pb2.SetQueueResponse(queue=messages.queue(event_id, standing))

    async def _join(
        self, items: Sequence[Item[queue_pb2.JoinQueueRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Adds the users of all items to their queues, whose locks it waits for in any case."""
        del skip_busy
        viewers = [self._viewers.of(item.caller) for item in items]
        event_ids = [item.request.event_id for item in items]
        seats = await self._availability.count_each(list(zip(event_ids, viewers, strict=True)))
        outcomes: list[Outcome] = list(seats)  # type: ignore[arg-type]
        joining: dict[int, dict[int, str]] = {}
        for index, (item, viewer) in enumerate(zip(items, viewers, strict=True)):
            if isinstance(seats[index], Refusal):
                continue
            try:
                user_id = viewer.user(item.request.user_id)
            except Refusal as refusal:
                outcomes[index] = refusal
            else:
                joining.setdefault(item.request.event_id, {})[index] = user_id
        for event_id, users in joining.items():
            joined = await self._join_one(event_id, list(users.values()))
            for index, outcome in zip(users, joined, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _join_one(self, event_id: int, user_ids: Sequence[str]) -> Sequence[Outcome]:
        try:
            joined = await self._queues.join(event_id, user_ids)
        except Refusal as refusal:
            return [refusal] * len(user_ids)
        return [messages.join_response(each) for each in joined]

    async def _get(
        self, items: Sequence[Item[queue_pb2.GetQueueRequest]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Reads the queues and the places of all items; reads wait for no lock."""
        del skip_busy
        seats = await self._availability.count_each(
            [(item.request.event_id, self._viewers.of(item.caller)) for item in items]
        )
        places = await self._queues.find([_holder(item) for item in items])
        outcomes: list[Outcome] = []
        for item, known, place in zip(items, seats, places, strict=True):
            if isinstance(known, Refusal):
                outcomes.append(known)
            elif isinstance(place, Refusal):
                outcomes.append(place)
            else:
                outcomes.append(await self._shown(item.request.event_id, place))
        return outcomes

    async def _shown(self, event_id: int, place: Place | None) -> queue_pb2.GetQueueResponse:
        standing = await self._queues.get(event_id)
        return queue_pb2.GetQueueResponse(queue=messages.queue(event_id, standing, place))


class QueueLineServicer(queue_pb2_grpc.QueueLineServiceServicer):
    """Serves boxoffice.bookings.v1.QueueLineService."""

    def __init__(self, queues: Queues, watches: QueueWatches, availability: Availability) -> None:
        self._queues = queues
        self._watches = watches
        self._availability = availability

    async def WatchQueue(
        self, request: queue_pb2.WatchQueueRequest, _: Context
    ) -> AsyncGenerator[queue_pb2.WatchQueueResponse, None]:
        """See queue.proto."""
        await self._availability.get(request.event_id, NOBODY)
        async with contextlib.aclosing(self._watches.watch(request.event_id)) as updates:
            async for update in updates:
                for response in messages.responses(update):
                    yield response

    async def ReportPresence(
        self, request: queue_pb2.ReportPresenceRequest, _: Context
    ) -> queue_pb2.ReportPresenceResponse:
        """See queue.proto."""
        holders = [Holder(request.event_id, token) for token in request.queue_tokens]
        entries = await self._queues.see(holders)
        places = [messages.held_place(entries.get(number)) for number in range(len(holders))]
        return queue_pb2.ReportPresenceResponse(places=places)


def _holder(item: Item[queue_pb2.GetQueueRequest]) -> Holder:
    return Holder(item.request.event_id, item.request.queue_token, item.caller.subject)
