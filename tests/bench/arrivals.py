"""Load at a rate of its own: requests come when they come, however slow the answers are.

A slow answer delays no later request, so time counts from when a request was due, not from when
there was a connection for it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

TICK_SECONDS = 0.001
PATIENCE_SECONDS = 15
CUT_OFF = 0
"""In place of the status of a request whose connection ended without an answer."""

Write = Callable[[int], bytes]
"""Writes the request of a number."""


@dataclass(slots=True)
class Arrivals:
    """What became of the requests: for each the status, and the seconds since it was due.

    `skipped` were not sent for want of a line, `in_time` are those answered while the load went on,
    `hinted` the refusals that say when to come again. `late_seconds` is the longest that the
    generator itself was late, which counts into the times.
    """

    seconds: float
    offered: int = 0
    skipped: int = 0
    hinted: int = 0
    late_seconds: float = 0.0
    is_over: bool = False
    in_time: Counter[int] = field(default_factory=Counter)
    waits: dict[int, list[float]] = field(default_factory=dict)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter({status: len(waits) for status, waits in self.waits.items()})

    @property
    def open(self) -> int:
        """How many requests have no answer yet."""
        return self.offered - self.statuses.total()

    def rate(self, status: int) -> float:
        """Tells how many were answered with a status, per second, while the load went on."""
        return self.in_time[status] / self.seconds

    def wait(self, status: int, percent: float) -> float:
        """Tells the seconds that so many percent of those with a status waited at most."""
        waits = sorted(self.waits.get(status, ())) or [0.0]
        return waits[min(len(waits) - 1, int(len(waits) * percent / 100))]

    def note(self, status: int, due: float, head: bytes = b"") -> None:
        """Notes an answer."""
        self.waits.setdefault(status, []).append(time.monotonic() - due)
        self.in_time[status] += not self.is_over
        self.hinted += b"\r\nretry-after: " in head


class _Line(asyncio.Protocol):
    """A connection with at most one request on it; `idle` are those that wait for another.

    The first one is given at once, as a server with too many connections answers before it comes.
    """

    def __init__(
        self, arrivals: Arrivals, idle: deque["_Line"], request: bytes, due: float
    ) -> None:
        self._arrivals = arrivals
        self._idle = idle
        self._first = request
        self._due: float | None = due
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._first)

    def ask(self, request: bytes, due: float) -> None:
        """Sends another request."""
        self._due = due
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank or len(body) < _content_length(head):
            return
        self._received = b""
        closes = b"\r\nconnection: close" in head
        self._note(int(head[9:12]), head)
        if closes:
            self._transport.close()
        else:
            self._idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(CUT_OFF)
        if self in self._idle:
            self._idle.remove(self)

    def close(self) -> None:
        """Hangs up."""
        self._transport.close()

    def _note(self, status: int, head: bytes = b"") -> None:
        if self._due is not None:
            self._arrivals.note(status, self._due, head)
            self._due = None


class _Lines:
    """The connections to a server: idle ones are used again, and new ones opened otherwise."""

    def __init__(self, host: str, port: int, arrivals: Arrivals) -> None:
        self._where = host, port
        self._arrivals = arrivals
        self._idle = deque[_Line]()
        self._opened: list[_Line] = []
        self._opening: set[asyncio.Task[None]] = set()

    def ask(self, request: bytes, due: float) -> None:
        """Sends a request."""
        if self._idle:
            self._idle.pop().ask(request, due)
            return
        task = asyncio.create_task(self._open(request, due))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    def close(self) -> None:
        """Hangs up."""
        for line in self._opened:
            line.close()

    async def _open(self, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(
                lambda: _Line(self._arrivals, self._idle, request, due), *self._where
            )
        except OSError:
            self._arrivals.note(CUT_OFF, due)
            return
        self._opened.append(line)


async def arrive(
    host: str, port: int, write: Write, *, rate: float, seconds: float, most: int = 4_000
) -> Arrivals:
    """Sends requests at a rate for a while, and waits for all answers.

    Each goes to a connection that is idle, or to a new one; where `most` are open already it is
    skipped.
    """
    arrivals = Arrivals(seconds)
    lines = _Lines(host, port, arrivals)
    started = looked = time.monotonic()
    while (now := time.monotonic()) < started + seconds:
        arrivals.late_seconds = max(arrivals.late_seconds, now - looked)
        looked = now
        room = most - arrivals.open
        while (number := arrivals.offered + arrivals.skipped) < (now - started) * rate:
            if room > 0:
                arrivals.offered += 1
                lines.ask(write(number), started + number / rate)
            else:
                arrivals.skipped += 1
            room -= 1
        await asyncio.sleep(TICK_SECONDS)  # the rate is all that is waited for
    arrivals.is_over = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        while arrivals.open:  # noqa: ASYNC110 - an event would cost each answer something
            await asyncio.sleep(TICK_SECONDS)
    lines.close()
    return arrivals


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.partition(b"\r\n")[0])
