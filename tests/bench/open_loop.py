"""Open-loop load: requests are sent at a rate, however slow the responses are.

A slow response delays no later request, so time counts from the moment at which a request was due,
not from the moment at which a connection was free.
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
"""Stands for the status of a request whose connection ended without a response."""

Write = Callable[[int], bytes]
"""Writes the request of a number."""


@dataclass(slots=True)
class Arrivals:
    """The results of the requests: for each the status, and the seconds since it was due.

    `skipped` requests were not sent because no connection was free, `in_time` ones were answered
    during the load, and `hinted` ones were refused with `Retry-After`. `late_seconds` is the
    longest delay of the generator itself, which is a part of the times.
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
        """The number of responses with each status."""
        return Counter({status: len(waits) for status, waits in self.waits.items()})

    @property
    def open(self) -> int:
        """The number of requests without a response."""
        return self.offered - self.statuses.total()

    def rate(self, status: int) -> float:
        """Returns the responses with a status per second, during the load."""
        return self.in_time[status] / self.seconds

    def wait(self, status: int, percent: float) -> float:
        """Returns a percentile of the seconds until responses with a status."""
        waits = sorted(self.waits.get(status, ())) or [0.0]
        return waits[min(len(waits) - 1, int(len(waits) * percent / 100))]

    def record(self, status: int, due: float, head: bytes = b"") -> None:
        """Records a response."""
        self.waits.setdefault(status, []).append(time.monotonic() - due)
        self.in_time[status] += not self.is_over
        self.hinted += b"\r\nretry-after: " in head


class _Connection(asyncio.Protocol):
    """A connection with at most one request at a time; `idle` has the free ones.

    It is made with its first request, as a server with too many connections answers without one.
    """

    def __init__(
        self, arrivals: Arrivals, idle: deque["_Connection"], request: bytes, due: float
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
        self._record(int(head[9:12]), head)
        if closes:
            self._transport.close()
        else:
            self._idle.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._record(CUT_OFF)
        if self in self._idle:
            self._idle.remove(self)

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def _record(self, status: int, head: bytes = b"") -> None:
        if self._due is not None:
            self._arrivals.record(status, self._due, head)
            self._due = None


class _Connections:
    """The connections to a server: free ones are reused; if there is none, a new one is opened."""

    def __init__(self, host: str, port: int, arrivals: Arrivals) -> None:
        self._where = host, port
        self._arrivals = arrivals
        self._idle = deque[_Connection]()
        self._opened: list[_Connection] = []
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
        """Closes the connection."""
        for line in self._opened:
            line.close()

    async def _open(self, request: bytes, due: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, line = await loop.create_connection(
                lambda: _Connection(self._arrivals, self._idle, request, due), *self._where
            )
        except OSError:
            self._arrivals.record(CUT_OFF, due)
            return
        self._opened.append(line)


async def arrive(
    host: str, port: int, write: Write, *, rate: float, seconds: float, most: int = 4_000
) -> Arrivals:
    """Sends requests at a rate for a time, and waits for all responses.

    Each is sent on a free connection or on a new one; it is skipped if `most` are open already.
    """
    arrivals = Arrivals(seconds)
    lines = _Connections(host, port, arrivals)
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
        await asyncio.sleep(TICK_SECONDS)  # paces the requests
    arrivals.is_over = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        while arrivals.open:  # noqa: ASYNC110 - an event would cost each answer something
            await asyncio.sleep(TICK_SECONDS)
    lines.close()
    return arrivals


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length: ")
    return int(rest.partition(b"\r\n")[0])
