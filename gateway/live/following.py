"""Follows one event in bookings, through all interruptions, for its channel."""

import asyncio
import contextlib
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from typing import Generic, Protocol, TypeVar

import structlog

from gateway.http import metrics
from gateway.live.channel import Channel
from gateway.live.delivery import Deliverable, Delivery
from gateway.live.events import Layout
from gateway.live.pace import Pace
from gateway.live.source import Position, Response, Source
from services.kit.rpc.errors import Internal, Refusal

log = structlog.get_logger()

EVENT_NOT_FOUND = "EVENT_NOT_FOUND"


class Beating(Deliverable, Protocol):
    """A channel that has something to do at regular times."""

    @property
    def has_ended(self) -> bool:
        """Whether there is nothing more to come."""

    def beat(self) -> None:
        """Does it."""


ChannelT = TypeVar("ChannelT", bound=Beating)
NewsT = TypeVar("NewsT")


class Following(ABC, Generic[ChannelT, NewsT]):
    """One event that is followed; `users` are the clients that watch it or are about to.

    `opened` is done once there is a channel, or gets why the event cannot be watched. A subclass
    says what is watched, and makes the channel.
    """

    def __init__(
        self, event_id: int, delivery: Delivery, pace: Pace, *, beat_seconds: float
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.event_id = event_id
        self.delivery = delivery
        self.pace = pace
        self._beat_seconds = beat_seconds
        self._channel: ChannelT | None = None
        self._next_beat: asyncio.TimerHandle | None = None
        self.opened: asyncio.Future[Refusal | None] = self._loop.create_future()
        self.users = 0

    @property
    def channel(self) -> ChannelT:
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
            if self._next_beat is not None:
                self._next_beat.cancel()

    @abstractmethod
    def _watch(self) -> AsyncGenerator[NewsT, None]:
        """Yields what is new of the event. Raises Refusal."""

    @abstractmethod
    def _open(self, news: NewsT) -> ChannelT:
        """Makes the channel of what came first."""

    @abstractmethod
    def _receive(self, channel: ChannelT, news: NewsT) -> None:
        """Passes on what came later."""

    async def _follow(self) -> Refusal:
        """Watches again and again; returns why there is nothing more to watch."""
        pause = self.pace.first_pause_seconds
        while True:
            try:
                async with contextlib.aclosing(self._watch()) as watch:
                    async for news in watch:
                        self._take(news)
                        pause = self.pace.first_pause_seconds
            except Refusal as refusal:
                if self._channel is None or refusal.reason == EVENT_NOT_FOUND:
                    return refusal
                metrics.LIVE_INTERRUPTIONS.inc()
                log.warning(
                    "live updates interrupted", event_id=self.event_id, reason=refusal.reason
                )
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads load
            pause = min(2 * pause, self.pace.longest_pause_seconds)

    def _take(self, news: NewsT) -> None:
        if self._channel is not None:
            self._receive(self._channel, news)
            return
        self._channel = self._open(news)
        self.opened.set_result(None)
        self._beat_later()

    def _end(self, refusal: Refusal) -> None:
        if self._channel is None:
            self.opened.set_result(refusal)
        else:
            self._channel.end()

    def _beat_later(self) -> None:
        self._next_beat = self._loop.call_later(self._beat_seconds, self._beat)

    def _beat(self) -> None:
        self.channel.beat()
        self.delivery.schedule(self.channel)
        self._beat_later()


class SeatFollowing(Following[Channel, tuple[Response, Layout]]):
    """The seats of one event."""

    def __init__(self, event_id: int, source: Source, delivery: Delivery, pace: Pace) -> None:
        super().__init__(event_id, delivery, pace, beat_seconds=pace.heartbeat_seconds)
        self._source = source
        self._position = Position()

    def _watch(self) -> AsyncGenerator[tuple[Response, Layout], None]:
        return self._source.watch(self.event_id, self._position)

    def _open(self, news: tuple[Response, Layout]) -> Channel:
        response, layout = news
        self._position = self._position.after(response)
        return Channel(self.event_id, response.snapshot, layout)

    def _receive(self, channel: Channel, news: tuple[Response, Layout]) -> None:
        response, layout = news
        self._position = self._position.after(response)
        channel.receive(response, layout)
        self.delivery.schedule(channel)
