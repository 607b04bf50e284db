"""Which events are followed, and for how many clients."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from prometheus_client import Gauge

from gateway.live.following import Following
from gateway.live.pace import Pace
from services.kit.rpc import context
from services.kit.rpc.errors import Refusal

FollowingT = TypeVar("FollowingT", bound=Following[Any, Any])


class Followed(Generic[FollowingT]):
    """Follows each event once, however many clients watch it."""

    def __init__(self, make: Callable[[int], FollowingT], pace: Pace, count: Gauge) -> None:
        self._make = make
        self._pace = pace
        self._count = count
        self._followed: dict[int, FollowingT] = {}
        self._tasks: dict[FollowingT, asyncio.Task[None]] = {}

    async def open(self, event_id: int) -> FollowingT | Refusal:
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

    def release(self, following: FollowingT) -> None:
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

    def _follow(self, event_id: int) -> FollowingT:
        following = self._make(event_id)
        self._followed[event_id] = following
        self._tasks[following] = asyncio.create_task(self._run(following))
        return following

    async def _run(self, following: FollowingT) -> None:
        self._count.inc()
        # The request that began it is soon over, and the trace of that request with it.
        context.traceparent.set("")
        try:
            await following.run()
        finally:
            self._count.dec()
            del self._tasks[following]
            self._forget(following)

    def _stop_if_unused(self, following: FollowingT) -> None:
        if not following.users and following in self._tasks:
            self._tasks[following].cancel()
            self._forget(following)

    def _forget(self, following: FollowingT) -> None:
        """Lets the next client follow the event anew."""
        if self._followed.get(following.event_id) is following:
            del self._followed[following.event_id]
