"""Counts requests in sliding windows: in this process, or together with all other gateways.

The windows and their sharing are those of the library `limits`. Its own memory looks through all
keys at every request, so that a thousand clients cost 70 microseconds each time; ours does not.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from math import floor
from typing import Any, TypeVar

import structlog
from limits import RateLimitItem, WindowStats
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from gateway.http.metrics import STORE_FAILURES

log = structlog.get_logger()

Clock = Callable[[], float]
T = TypeVar("T")

KEPT = 32_768
SHARED_CONNECTIONS = 32
PATIENCE_SECONDS = 0.25
PAUSE_SECONDS = 1.0


@dataclass(slots=True)
class Window:
    """When the current window began, what was counted in it, and in the one before."""

    began: float
    count: int = 0
    former: int = 0

    def move(self, now: float, seconds: int) -> float:
        """Goes on to the window that is current now; gives the share of the former still in."""
        passed = (now - self.began) / seconds
        if passed >= 1:
            self.former = self.count if passed < 2 else 0
            self.count = 0
            self.began += floor(passed) * seconds
            passed %= 1
        return 1 - passed


class LocalStorage(MemoryStorage):
    """Windows of this process. Memory is bounded: of too many, the longest unused are forgotten.

    `kept` is how many may be young; they grow old together, and those that are asked for again
    become young again.
    """

    def __init__(self, clock: Clock = time.monotonic, kept: int = KEPT) -> None:
        super().__init__()
        self._clock = clock
        self._kept = kept
        self._young: dict[str, Window] = {}
        self._old: dict[str, Window] = {}

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Counts a request unless there are too many; a negative amount takes some back."""
        now = self._clock()
        window = self._window(key, now)
        share = window.move(now, expiry)
        if floor(window.former * share) + window.count + amount > limit:
            return False
        window.count = max(0, window.count + amount)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Gives counts of the former and the current window, each with the seconds it counts."""
        now = self._clock()
        window = self._window(key, now)
        left = window.move(now, expiry) * expiry
        return window.former, left, window.count, left + expiry

    def _window(self, key: str, now: float) -> Window:
        window = self._young.get(key)
        if window is None:
            window = self._old.pop(key, None) or Window(now)
            if len(self._young) >= self._kept:
                self._old, self._young = self._young, {}
            self._young[key] = window
        return window


class SharedCounters(RateLimiter):
    """Counts where all gateways do, and by itself for a while where that cannot be reached.

    So a store that fails neither stops the sale nor lets everything through: each gateway then
    admits as much as all together should.
    """

    def __init__(self, shared: RateLimiter, own: RateLimiter, clock: Clock = time.monotonic):
        super().__init__(shared.storage)
        self._shared = shared
        self._own = own
        self._clock = clock
        self._is_down = False
        self._ask_again = 0.0

    async def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See RateLimiter."""
        return await self._either(lambda counters: counters.hit(item, *identifiers, cost=cost))

    async def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        """See RateLimiter."""
        return await self._either(lambda counters: counters.test(item, *identifiers, cost=cost))

    async def get_window_stats(self, item: RateLimitItem, *identifiers: str) -> WindowStats:
        """See RateLimiter."""
        return await self._either(lambda counters: counters.get_window_stats(item, *identifiers))

    async def _either(self, ask: Callable[[RateLimiter], Awaitable[T]]) -> T:
        now = self._clock()
        if now < self._ask_again:
            return await ask(self._own)
        if self._is_down:
            # One request finds out, and the others do not wait for it.
            self._ask_again = now + PAUSE_SECONDS
        try:
            answer = await ask(self._shared)
        except StorageError as error:
            self._went_down(error)
            return await ask(self._own)
        self._came_up()
        return answer

    def _went_down(self, error: StorageError) -> None:
        STORE_FAILURES.inc()
        self._ask_again = self._clock() + PAUSE_SECONDS
        if not self._is_down:
            self._is_down = True
            log.warning("rate limits are not shared", error=str(error.storage_error))

    def _came_up(self) -> None:
        if self._is_down:
            self._is_down, self._ask_again = False, 0.0
            log.warning("rate limits are shared again")


def local_counters(clock: Clock = time.monotonic) -> RateLimiter:
    """Makes counters of this process alone."""
    return SlidingWindowCounterRateLimiter(LocalStorage(clock))


@contextlib.asynccontextmanager
async def open_counters(
    url: str, clock: Clock = time.monotonic, *, patience_seconds: float = PATIENCE_SECONDS
) -> AsyncIterator[RateLimiter]:
    """Opens the counters at the URL of a Redis or a Valkey; without one, those of this process.

    A store that does not answer for `patience_seconds` counts as down.
    """
    if not url:
        yield local_counters(clock)
        return
    pool = _store(url, patience_seconds)
    storage = RedisStorage(
        "async+redis://",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="boxoffice",
        connection_pool=pool,  # handed to the client as it is
    )
    try:
        yield SharedCounters(SlidingWindowCounterRateLimiter(storage), local_counters(clock), clock)
    finally:
        await pool.aclose()


def _store(url: str, patience_seconds: float) -> Any:
    """Makes a pool of connections to a Redis or a Valkey."""
    # Without a store this package is not needed, and takes a fifth of the gateway's start.
    from redis.asyncio import BlockingConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as NotConnectedError

    return BlockingConnectionPool.from_url(
        # Valkey speaks the same protocol, and one client is enough.
        url.replace("valkey", "redis", 1) if url.startswith("valkey") else url,
        max_connections=SHARED_CONNECTIONS,
        timeout=patience_seconds,
        socket_timeout=patience_seconds,
        socket_connect_timeout=patience_seconds,
        # A connection that died while it was idle is opened again; what hangs is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(NotConnectedError,)),
    )
