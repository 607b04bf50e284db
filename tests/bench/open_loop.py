"""Open-loop load: requests are sent at a rate, and their responses counted by status."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from deploy.load.client import Answer, Client
from deploy.load.open_loop import TICK_SECONDS, pace
from deploy.load.target import Target

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

    def record(self, answer: Answer | None, due: float) -> None:
        """Records a response, or that there was none."""
        status = CUT_OFF if answer is None else answer.status
        self.waits.setdefault(status, []).append(time.monotonic() - due)
        self.in_time[status] += not self.is_over
        self.hinted += answer is not None and b"retry-after" in answer.headers


async def arrive(
    host: str, port: int, write: Write, *, rate: float, seconds: float, most: int = 4_000
) -> Arrivals:
    """Sends requests at a rate for a time, and waits for all responses.

    Each is sent on a free connection or on a new one; it is skipped if `most` are open already.
    """
    arrivals = Arrivals(seconds)
    client = Client(Target(host, port), connections=most, timeout_seconds=PATIENCE_SECONDS)

    def offer(number: int, due: float) -> None:
        if arrivals.open >= most:
            arrivals.skipped += 1
            return
        arrivals.offered += 1
        client.send(write(number), lambda answer: arrivals.record(answer, due))

    arrivals.late_seconds = await pace(offer, rate=rate, seconds=seconds)
    arrivals.is_over = True
    async with asyncio.timeout(PATIENCE_SECONDS):
        while arrivals.open:  # noqa: ASYNC110 - an event would cost each answer something
            await asyncio.sleep(TICK_SECONDS)
    client.close()
    return arrivals
