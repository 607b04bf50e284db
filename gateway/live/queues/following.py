"""Follows one queue in bookings, and reports who is there."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from boxoffice.bookings.v1 import queue_pb2
from gateway.live.delivery import Delivery
from gateway.live.following import Following
from gateway.live.pace import Pace
from gateway.live.queues.line import WaitingLine
from gateway.live.queues.source import MOST_TOKENS, QueueSource
from services.kit.concurrency.combiner import Combiner
from services.kit.concurrency.outage import Outage
from services.kit.process.workers import repeat, running
from services.kit.rpc.errors import OutcomeUnknown, Refusal

MOST_FINDING = 20_000
"""Clients whose tokens are being looked up."""


class QueueFollowing(Following[WaitingLine, queue_pb2.WatchQueueResponse]):
    """The queue of one event."""

    def __init__(self, event_id: int, source: QueueSource, delivery: Delivery, pace: Pace) -> None:
        super().__init__(event_id, delivery, pace, beat_seconds=pace.queue_seconds)
        self._source = source
        self._finder: Combiner[str, queue_pb2.HeldPlace] = Combiner(
            self._report, at_once=MOST_TOKENS, waiting=MOST_FINDING, whole=MOST_TOKENS
        )
        self._outage = Outage("presence is not reported")

    async def run(self) -> None:
        """See Following."""
        async with running(repeat(self._report_due, every_seconds=self.pace.queue_seconds)):
            await super().run()

    async def find(self, token: str) -> queue_pb2.HeldPlace:
        """Finds the place of a token, which has no state if nobody has it. Raises Refusal.

        Clients that come at once are looked up together.
        """
        try:
            return await self._finder.ask(token, timeout_seconds=self._source.seconds)
        except TimeoutError as error:
            raise OutcomeUnknown from error

    def _watch(self) -> AsyncGenerator[queue_pb2.WatchQueueResponse, None]:
        return self._source.watch(self.event_id)

    def _open(self, news: queue_pb2.WatchQueueResponse) -> WaitingLine:
        return WaitingLine(self.event_id, news, self.pace)

    def _receive(self, channel: WaitingLine, news: queue_pb2.WatchQueueResponse) -> None:
        channel.receive(news)

    async def _report(self, tokens: Sequence[str]) -> Sequence[queue_pb2.HeldPlace]:
        return await self._source.report(self.event_id, tokens)

    async def _report_due(self) -> bool:
        """Asks bookings about the next places; returns whether it answered."""
        await asyncio.shield(self.opened)
        line = self._channel
        if line is None:
            return False
        await line.has_due.wait()
        taken = line.take_due(MOST_TOKENS)
        try:
            places = await self._report([held.token for held in taken])
        except Refusal as refusal:
            self._outage.record_failure(refusal.reason)
            line.give_back(taken)
            return False
        self._outage.record_answer()
        for held, place in zip(taken, places, strict=True):
            line.settle(held, place)
        self.delivery.schedule(line)
        return True
