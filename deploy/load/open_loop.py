"""Paces requests in an open loop: at a rate, however slow the responses are.

A slow response delays no later request. So time counts from the moment at which a request was
due, not from the moment at which a connection was free: there is no coordinated omission.
"""

import asyncio
import time
from collections.abc import Callable

TICK_SECONDS = 0.001

Offer = Callable[[int, float], None]
"""Sends the request of a number, which is due at a time of `time.monotonic`."""


async def pace(
    offer: Offer, *, rate: float, seconds: float, stop: asyncio.Event | None = None
) -> float:
    """Offers requests at a rate for a time, or until `stop` is set.

    Returns the longest delay of the loop itself, in seconds, which is a part of the times.
    """
    late, number, elapsed = 0.0, 0, 0.0
    started = looked = time.monotonic()
    while not (stop and stop.is_set()):
        now = time.monotonic()
        late = max(late, now - looked)
        looked, elapsed = now, min(now - started, seconds)
        while number < elapsed * rate:
            offer(number, started + number / rate)
            number += 1
        if elapsed == seconds:
            break
        await asyncio.sleep(TICK_SECONDS)  # paces the requests
    return late
