"""Follows one event in bookings, through all interruptions, for its channel."""

import asyncio
import contextlib
import random

import structlog

from gateway.http import metrics
from gateway.live.channel import Channel
from gateway.live.delivery import Delivery
from gateway.live.events import Layout
from gateway.live.pace import Pace
from gateway.live.source import Position, Response, Source
from services.kit.rpc.errors import Internal, Refusal

log = structlog.get_logger()

EVENT_NOT_FOUND = "EVENT_NOT_FOUND"


class Following:
    """One event that is followed; `users` are the clients that watch it or are about to.

    `opened` is done once there is a channel, or gets why the event cannot be watched.
    """

    def __init__(self, event_id: int, source: Source, delivery: Delivery, pace: Pace) -> None:
        self._loop = asyncio.get_running_loop()
        self.event_id = event_id
        self._source = source
        self._delivery = delivery
        self._pace = pace
        self._channel: Channel | None = None
        self._position = Position()
        self._heartbeat: asyncio.TimerHandle | None = None
        self.opened: asyncio.Future[Refusal | None] = self._loop.create_future()
        self.users = 0

    @property
    def channel(self) -> Channel:
        """The channel, which is open."""
        if self._channel is None:
            raise AssertionError("the event was not opened")
        return self._channel

    @property
    def has_ended(self) -> bool:
        """Whether the channel was open and is not any more."""
        return self._channel is not None and self._channel.has_ended

    async def run(self) -> None:
        """Follows the event until cancelled, or until it cannot be watched any more."""
        try:
            self._end(await self._follow())
        except Exception:
            log.exception("live updates failed", event_id=self.event_id)
            self._end(Internal())
        finally:
            if self._heartbeat is not None:
                self._heartbeat.cancel()

    async def _follow(self) -> Refusal:
        """Watches again and again; returns why there is nothing more to watch."""
        pause = self._pace.first_pause_seconds
        while True:
            try:
                watch = self._source.watch(self.event_id, self._position)
                async with contextlib.aclosing(watch) as responses:
                    async for response, layout in responses:
                        self._receive(response, layout)
                        pause = self._pace.first_pause_seconds
            except Refusal as refusal:
                if self._channel is None or refusal.reason == EVENT_NOT_FOUND:
                    return refusal
                metrics.LIVE_INTERRUPTIONS.inc()
                log.warning(
                    "live updates interrupted", event_id=self.event_id, reason=refusal.reason
                )
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            pause = min(2 * pause, self._pace.longest_pause_seconds)

    def _receive(self, response: Response, layout: Layout) -> None:
        self._position = self._position.after(response)
        if self._channel is None:
            self._channel = Channel(self.event_id, response.snapshot, layout)
            self.opened.set_result(None)
            self._beat_later()
            return
        self._channel.receive(response, layout)
        self._delivery.schedule(self._channel)

    def _end(self, refusal: Refusal) -> None:
        if self._channel is None:
            self.opened.set_result(refusal)
        else:
            self._channel.end()

    def _beat_later(self) -> None:
        seconds = self._pace.heartbeat_seconds
        self._heartbeat = self._loop.call_later(seconds, self._beat)

    def _beat(self) -> None:
        if self._channel is not None:
            self._channel.add_heartbeat()
            self._delivery.schedule(self._channel)
            self._beat_later()
