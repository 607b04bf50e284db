"""Counting requests in windows: in one process, in a shared store, and while that is down."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import pytest_asyncio
from limits import RateLimitItemPerSecond
from limits.aio.strategies import RateLimiter, SlidingWindowCounterRateLimiter
from structlog.testing import capture_logs

from gateway.admission.counters import (
    RETRY_STORE_SECONDS,
    LocalStorage,
    local_counters,
    open_counters,
)
from gateway.http.metrics import STORE_FAILURES
from tests.gateway.redis_server import RedisServer, redis_server

PATIENT_SECONDS = 10.0
"""For tests in which the store does not hang, however slow the machine is."""
TEN = RateLimitItemPerSecond(10, 60)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Returns the time."""
        return self.now


@pytest_asyncio.fixture
async def redis(unused_tcp_port: int, tmp_path: Path) -> AsyncIterator[RedisServer]:
    """Runs a Redis."""
    async with redis_server(unused_tcp_port, tmp_path) as running:
        yield running


def patient(url: str) -> AbstractAsyncContextManager[RateLimiter]:
    """Opens counters that wait for their store."""
    return open_counters(url, timeout_seconds=PATIENT_SECONDS)


async def admitted(counters: RateLimiter, number: int, key: str = "k") -> int:
    """Makes requests at once; returns how many were admitted."""
    return sum(await asyncio.gather(*(counters.hit(TEN, key) for _ in range(number))))


async def test_a_window_admits_its_limit() -> None:
    """One client would use up the limit of another, or get more than the limit."""
    counters = local_counters(Clock())
    assert await admitted(counters, 25) == 10
    assert await admitted(counters, 5, "other") == 5


async def test_the_window_slides() -> None:
    """A client would get twice its limit around the edge of a window."""
    clock = Clock()
    counters = local_counters(clock)
    assert await admitted(counters, 10) == 10
    clock.now += 60
    assert await admitted(counters, 10) == 0
    clock.now += 30
    assert await admitted(counters, 10) == 5
    clock.now += 120
    assert await admitted(counters, 25) == 10


async def test_a_refund_makes_room() -> None:
    """Successful log-ins would use up the limit, or refunds would raise it."""
    counters = local_counters(Clock())
    await admitted(counters, 10)
    await counters.hit(TEN, "k", cost=-1)
    assert await admitted(counters, 10) == 1
    await counters.hit(TEN, "fresh", cost=-1)
    assert await admitted(counters, 25, "fresh") == 10


async def test_the_window_has_a_reset_time() -> None:
    """A refused client would not know how long to wait."""
    clock = Clock()
    counters = local_counters(clock)
    await admitted(counters, 10)
    clock.now += 20
    reset, remaining = await counters.get_window_stats(TEN, "k")
    assert (round(reset - time.time()), remaining) == (40, 0)


async def test_memory_is_bounded() -> None:
    """A crowd of addresses would fill the memory, or make active clients forgotten."""
    storage = LocalStorage(Clock(), max_recent=10)
    counters = SlidingWindowCounterRateLimiter(storage)
    for number in range(100):
        await counters.hit(TEN, str(number))
        await counters.hit(TEN, "busy")
    assert len(storage._recent) + len(storage._old) <= 20
    assert await admitted(counters, 10, "busy") == 0


async def test_another_client_costs_no_more() -> None:
    """Each request would take longer with every client that was counted before."""
    counters = local_counters()

    async def seconds() -> float:
        started = time.perf_counter()
        for _ in range(200):
            await counters.hit(TEN, "k")
        return time.perf_counter() - started

    alone = min([await seconds() for _ in range(10)])
    for number in range(20_000):
        await counters.hit(TEN, str(number))
    assert min([await seconds() for _ in range(10)]) < 10 * alone


async def test_gateways_count_together(redis: RedisServer) -> None:
    """A client would get the whole limit from each gateway; the control is two without a store."""
    async with patient(redis.url) as one, patient(redis.url) as other:
        both = await asyncio.gather(admitted(one, 15), admitted(other, 15))
        assert sum(both) == 10
        await one.hit(TEN, "k", cost=-1)
        assert await admitted(other, 5) == 1
        reset, remaining = await one.get_window_stats(TEN, "k")
        assert 55 <= reset - time.time() <= 60
        assert remaining == 0
    async with open_counters("") as one, open_counters("") as other:
        assert await admitted(one, 15) + await admitted(other, 15) == 20


async def test_valkey_works_as_redis_does(redis: RedisServer) -> None:
    """A URL of Valkey would be refused, or would need another client."""
    async with patient(redis.url.replace("redis", "valkey")) as counters:
        assert await admitted(counters, 25) == 10
    async with patient(redis.url) as counters:
        assert await admitted(counters, 25) == 0


async def test_without_the_store_each_gateway_counts_by_itself(redis: RedisServer) -> None:
    """A store that is down would stop the sale, lift all limits, or never be used again."""
    clock = Clock()
    async with open_counters(redis.url, clock, timeout_seconds=PATIENT_SECONDS) as counters:
        assert await admitted(counters, 5) == 5
        await redis.stop()
        before = _failures()
        with capture_logs() as lines:
            assert await admitted(counters, 25) == 10
            assert _failures() > before
            known = _failures()
            assert await admitted(counters, 25) == 0
            assert _failures() == known
            await redis.start()
            clock.now += RETRY_STORE_SECONDS
            assert await admitted(counters, 1, "first") == 1
            assert await admitted(counters, 25) == 10
    said = [line["event"] for line in lines]
    assert said == ["rate limits are not shared", "rate limits are shared again"]


@pytest.mark.parametrize("requests", [1, 30])
async def test_a_hanging_store_delays_one_request_only(redis: RedisServer, requests: int) -> None:
    """Every request would wait for the timeout of the store."""
    async with open_counters(redis.url) as counters:
        await admitted(counters, 1)
        redis.hang()
        started = time.perf_counter()
        assert await admitted(counters, requests) == min(requests, 10)
        assert time.perf_counter() - started < 1
        started = time.perf_counter()
        await admitted(counters, 30)
        assert time.perf_counter() - started < 0.2


def _failures() -> float:
    [metric] = STORE_FAILURES.collect()
    return next(sample.value for sample in metric.samples if sample.name.endswith("_total"))
