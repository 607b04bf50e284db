"""The hub: which events are watched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway.http import metrics
from gateway.live.delivery import Delivery
from gateway.live.following import Following
from gateway.live.pace import PACE, Pace
from gateway.live.source import Source
from services.kit.process.workers import running
from services.kit.rpc.errors import Refusal


class Hub:
    """Follows each event once, however many clients watch it."""

    def __init__(self, source: Source, pace: Pace) -> None:
        self._source = source
        self._pace = pace
        self._followed: dict[int, Following] = {}
        self._tasks: dict[Following, asyncio.Task[None]] = {}
        self.delivery = Delivery(pace)

    async def open(self, event_id: int) -> Following | Refusal:
        """Follows an event until `release`; its channel is open then."""
        following = self._followed.get(event_id)
        if following is None or following.has_ended:
            following = self._follow(event_id)
        following.users += 1
        try:
            refusal = await asyncio.shield(following.opened)
        except asyncio.CancelledError:
            self.release(following)
            raise
        if refusal is not None:
            self.release(following)
            return refusal
        return following

    def release(self, following: Following) -> None:
        """Follows an event for a while yet, and then no more unless another client came."""
        following.users -= 1
        if not following.users:
            loop = asyncio.get_running_loop()
            loop.call_later(self._pace.linger_seconds, self._stop_if_unused, following)

    async def close(self) -> None:
        """Follows nothing any more."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self, event_id: int) -> Following:
        following = Following(event_id, self._source, self.delivery, self._pace)
        self._followed[event_id] = following
        self._tasks[following] = asyncio.create_task(self._run(following))
        return following

    async def _run(self, following: Following) -> None:
        metrics.LIVE_EVENTS.inc()
        try:
            await following.run()
        finally:
            metrics.LIVE_EVENTS.dec()
            del self._tasks[following]
            self._forget(following)

    def _stop_if_unused(self, following: Following) -> None:
        if not following.users and following in self._tasks:
            self._tasks[following].cancel()
            self._forget(following)

    def _forget(self, following: Following) -> None:
        """Lets the next client follow the event anew."""
        if self._followed.get(following.event_id) is following:
            del self._followed[following.event_id]


@contextlib.asynccontextmanager
async def open_hub(source: Source, pace: Pace = PACE) -> AsyncIterator[Hub]:
    """Opens a hub, which works during the block."""
    hub = Hub(source, pace)
    async with running(hub.delivery.run()):
        try:
            yield hub
        finally:
            await hub.close()
