"""Writes pages to clients, at a pace that leaves time for everything else."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Protocol

import structlog

from gateway.live.pace import Pace

log = structlog.get_logger()


class Deliverable(Protocol):
    """What clients are brought up to date with: a channel."""

    event_id: int

    @property
    def watchers(self) -> Sequence[Any]:
        """The clients."""

    def turn_page(self) -> None:
        """Makes ready what has arrived."""

    def catch_up(self, watcher: Any, /) -> None:
        """Writes to a client what it lacks."""

    def end(self) -> None:
        """Ends the watch of every client."""


class Delivery:
    """Brings clients up to date, in rounds over the channels that have something for them."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._due: dict[Deliverable, None] = {}
        self._is_due = asyncio.Event()
        self._slice_began = 0.0
        self._written_seconds = 0.0

    def schedule(self, channel: Deliverable) -> None:
        """Has a channel served in the next round."""
        self._due[channel] = None
        self._is_due.set()

    async def run(self) -> None:
        """Serves channels until cancelled. A defect ends the watches of its channel only."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            began = self._slice_began = time.perf_counter()
            self._written_seconds = 0.0
            due, self._due = self._due, {}
            for channel in due:
                try:
                    await self._serve(channel)
                except Exception:
                    log.exception("live updates failed", event_id=channel.event_id)
                    channel.end()
            self._end_slice()
            rest = began + self._pace.round_after(self._written_seconds) - time.perf_counter()
            await asyncio.sleep(max(rest, self._pace.slice_seconds))

    async def _serve(self, channel: Deliverable) -> None:
        """Leaves the loop alone after each slice for as long as it took."""
        channel.turn_page()
        for watcher in channel.watchers:
            channel.catch_up(watcher)
            if time.perf_counter() - self._slice_began >= self._pace.slice_seconds:
                await asyncio.sleep(self._end_slice())
                self._slice_began = time.perf_counter()

    def _end_slice(self) -> float:
        """Counts the time of a slice, and returns it."""
        seconds = time.perf_counter() - self._slice_began
        self._written_seconds += seconds
        return seconds
