"""A bookings service whose queue tests move, with the tokens of those who joined."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from boxoffice.bookings.v1 import queue_pb2, queue_pb2_grpc
from services.bookings.errors import QueueOff
from services.kit.rpc.errors import Refusal, abort
from tests.gateway.live.ledger import EVENT_ID
from tests.gateway.messages import MOMENT

WAITING = queue_pb2.QUEUE_STATE_WAITING
ADMITTED = queue_pb2.QUEUE_STATE_ADMITTED
SECONDS = 20


def token(place: int) -> str:
    """Returns the token of a place."""
    return f"{EVENT_ID}.secret-{place}"


def held(place: int, state: queue_pb2.QueueState.ValueType = WAITING) -> queue_pb2.HeldPlace:
    """Makes a place."""
    until = MOMENT if state == ADMITTED else None
    return queue_pb2.HeldPlace(state=state, place=place, admitted_until=until)


class People(queue_pb2_grpc.QueueLineServiceServicer):
    """A queue in which the first `count` places wait; one a second is admitted."""

    def __init__(self, count: int = 0, *, is_on: bool = True) -> None:
        self.places = {token(place): held(place) for place in range(1, count + 1)}
        self.is_on = is_on
        self.refusal: Refusal | None = None
        self.reported: list[str] = []
        self.watches = 0
        self._changes: list[queue_pb2.QueueLineChange] = []
        self._news = asyncio.Condition()

    async def admit(self, *places: int) -> None:
        """Admits places."""
        for place in places:
            self.places[token(place)] = held(place, ADMITTED)
        await self._change(queue_pb2.QueueLineChange(places=places))

    async def forget(self, place: int) -> None:
        """Replaces a token by another one, as joining again does."""
        del self.places[token(place)]
        await self._notify()

    async def until(self, condition: Any) -> None:
        """Waits until a condition holds, which is looked at after each call."""
        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(condition)

    async def until_reported(self, *places: int) -> None:
        """Waits until places are reported anew."""
        self.reported.clear()
        await self.until(lambda: {token(place) for place in places} <= set(self.reported))

    async def WatchQueue(  # noqa: N802
        self, request: queue_pb2.WatchQueueRequest, context: Any
    ) -> AsyncIterator[queue_pb2.WatchQueueResponse]:
        """See queue.proto."""
        if not self.is_on:
            await abort(context, QueueOff())
        self.watches += 1
        await self._notify()
        try:
            sent = len(self._changes)
            yield self._response(line=queue_pb2.QueueLine(waiting=self._bits()))
            while True:
                async with self._news:
                    await self._news.wait_for(lambda: len(self._changes) > sent)  # noqa: B023
                changes, sent = self._changes[sent:], len(self._changes)
                yield self._response(changes=changes)
        finally:
            self.watches -= 1
            await self._notify()

    async def ReportPresence(  # noqa: N802
        self, request: queue_pb2.ReportPresenceRequest, context: Any
    ) -> queue_pb2.ReportPresenceResponse:
        """See queue.proto."""
        self.reported += request.queue_tokens
        await self._notify()
        if self.refusal is not None:
            await abort(context, self.refusal)
        nobody = queue_pb2.HeldPlace()
        places = [self.places.get(each, nobody) for each in request.queue_tokens]
        return queue_pb2.ReportPresenceResponse(places=places)

    def _bits(self) -> bytes:
        waiting = [each.place for each in self.places.values() if each.state == WAITING]
        return bitmap(waiting)

    def _response(self, **fields: Any) -> queue_pb2.WatchQueueResponse:
        return queue_pb2.WatchQueueResponse(
            seq=len(self._changes),
            enabled=True,
            is_drawn=True,
            admissions_per_minute=60,
            **fields,
        )

    async def _change(self, change: queue_pb2.QueueLineChange) -> None:
        async with self._news:
            self._changes.append(change)
            self._news.notify_all()

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def bitmap(places: Iterable[int]) -> bytes:
    """Returns places as the bits of a line."""
    bits = sum(1 << place for place in places)
    return bits.to_bytes(bits.bit_length() // 8 + 1, "little")
