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

    `hinted` counts the refusals that say when to come again.
    """

    offered: int = 0
    hinted: int = 0
    seconds: float = 0.0
    waits: dict[int, list[float]] = field(default_factory=dict)

    @property
    def statuses(self) -> Counter[int]:
        """How often each status was answered."""
        return Counter({status: len(waits) for status, waits in self.waits.items()})

    @property
    def answered(self) -> int:
        """How many requests are over, one way or the other."""
        return self.statuses.total()

    def rate(self, status: int) -> float:
        """Tells how many were answered with a status, per second of the load."""
        return len(self.waits.get(status, ())) / self.seconds

    def wait(self, status: int, percent: float) -> float:
        """Tells the seconds that so many percent of those with a status waited at most."""
        waits = sorted(self.waits.get(status, ())) or [0.0]
        return waits[min(len(waits) - 1, int(len(waits) * percent / 100))]

    def note(self, status: int, due: float, head: bytes = b"") -> None:
        """Notes an answer."""
        self.waits.setdefault(status, []).append(time.monotonic() - due)
        self.hinted += b"\r\nretry-after: " in head


class _Line(asyncio.Protocol):
    """A connection with at most one request on it; `idle` are those that wait for another."""

    def __init__(self, arrivals: Arrivals, idle: deque["_Line"]) -> None:
        self._arrivals = arrivals
        self._idle = idle
        self._due: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        """Sends a request."""
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


async def arrive(
    host: str, port: int, write: Write, *, rate: float, seconds: float, lines: int = 4_000
) -> Arrivals:
    """Sends requests at a rate for a while, and waits for all answers.

    Each goes to a connection that is idle, or to a new one; at most `lines` are open, and where
    that is not enough the rest waits here.
    """
    loop = asyncio.get_running_loop()
    arrivals, idle, opening = Arrivals(), deque[_Line](), set[asyncio.Task[None]]()
    opened: list[_Line] = []
    waiting: deque[tuple[bytes, float]] = deque()

    async def open_line(request: bytes, due: float) -> None:
        try:
            _, line = await loop.create_connection(lambda: _Line(arrivals, idle), host, port)
        except OSError:
            arrivals.note(CUT_OFF, due)
            return
        opened.append(line)
        line.ask(request, due)

    def send() -> None:
        while waiting and (idle or arrivals.offered - arrivals.answered - len(waiting) < lines):
            request, due = waiting.popleft()
            if idle:
                idle.pop().ask(request, due)
            else:
                task = loop.create_task(open_line(request, due))
                opening.add(task)
                task.add_done_callback(opening.discard)

    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        while arrivals.offered < elapsed * rate:
            waiting.append((write(arrivals.offered), started + arrivals.offered / rate))
            arrivals.offered += 1
        send()
        await asyncio.sleep(TICK_SECONDS)  # the rate is all that is waited for
    arrivals.seconds = time.monotonic() - started
    async with asyncio.timeout(PATIENCE_SECONDS):
        while arrivals.answered < arrivals.offered:
            send()
            await asyncio.sleep(TICK_SECONDS)  # answers come on many connections
    for line in opened:
        line.close()
    return arrivals


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.partition(b"\r\n")[0])
