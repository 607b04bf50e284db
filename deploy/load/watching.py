"""Watchers of the sale: they follow the live updates of the event as a page does."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from deploy.load.api import Api
from deploy.load.series import Series

PAUSE_SECONDS = 1.0
"""Before a watcher connects again."""


@dataclass(slots=True)
class Watcher:
    """What a page shows. One of the watchers records the seats that are left in the series."""

    api: Api
    event_id: int
    series: Series | None = None
    revision: int = 0
    left: int | None = None
    changes: int = 0
    failure: str = ""
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Watches until cancelled; connects again where a stream ended, after what it has."""
        while True:
            try:
                async with self.api.stream(self.event_id, self.revision) as stream:
                    self.failure = ""
                    await self._read(stream)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.failure = str(error) or "no response in time"
            await asyncio.sleep(PAUSE_SECONDS)  # as the documentation asks clients to do

    async def begin(self, seconds: float) -> None:
        """Waits until the watcher has seen the seats for the first time, or the time is over."""
        await self._wait(lambda left: left is not None, seconds)

    async def reach(self, seats_left: int, seconds: float) -> None:
        """Waits until the watcher sees so many seats left, or the time is over.

        Its revision may stay behind: a change that moves no seat is not shown.
        """
        await self._wait(lambda left: left == seats_left, seconds)

    async def _wait(self, is_enough: Callable[[int | None], bool], seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not is_enough(self.left):
                    self._progress.clear()
                    await self._progress.wait()

    async def _read(self, stream: aiohttp.StreamReader) -> None:
        """Reads Server-Sent Events until the stream ends or a change is missing."""
        name = ""
        async for line in stream:
            kind, _, value = line.decode().strip().partition(": ")
            if kind == "event":
                name = value
            elif kind == "data" and not self._apply(name, json.loads(value)):
                return

    def _apply(self, name: str, data: dict[str, Any]) -> bool:
        """Applies an event by the documented rule; returns whether to go on with the stream."""
        if name != "seat_status_update":
            if data["revision"] <= self.revision:
                return True
            if data["after_revision"] > self.revision:
                return False
        self.revision, self.left = data["revision"], data["left"]
        self.changes += 1
        if self.series is not None:
            self.series.show_left(data["left"])
        self._progress.set()
        return True
