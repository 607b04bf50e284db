"""A replica that is stopped while it holds an event's lock, and how long others wait."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import psycopg
import pytest

from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.e2e.cinema import open_cinema
from tests.e2e.client import create_event, new_key, open_client
from tests.e2e.system import System
from tests.faults.two_services import Buyer
from tests.processes import Process
from tests.services.bookings.conftest import drift
from tests.services.conditions import until
from tests.services.events.scripted import SERVICE_KEY

STOPPED = {"BOXOFFICE_FAILPOINTS": "bookings.batch.decided=stop"}
# The database ends the transaction of a stopped process after 5 s. Nothing else would.
PATIENCE_SECONDS = 60
Ask: TypeAlias = Callable[[Buyer, int, str, str], Awaitable[Any]]


@pytest.fixture
async def running(database: Database, tmp_path: Path) -> AsyncIterator[System]:
    """Runs a Boxoffice with two replicas of bookings."""
    system = System(database, tmp_path, replicas=2, BOXOFFICE_SERVICE_KEY=SERVICE_KEY)
    await asyncio.to_thread(system.__enter__)
    try:
        yield system
    finally:
        if system.bookings[0].is_running:
            system.bookings[0].resume()
        await asyncio.to_thread(system.__exit__, None, None, None)


@pytest.fixture
async def buyers(running: System) -> AsyncIterator[list[Buyer]]:
    """Returns a client of each replica."""
    async with contextlib.AsyncExitStack() as stack:
        channels = [grpc.aio.insecure_channel(target) for target in running.bookings_targets]
        yield [Buyer(await stack.enter_async_context(channel)) for channel in channels]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[psycopg.AsyncConnection]:
    """Returns a connection that watches the replicas."""
    async with await psycopg.AsyncConnection.connect(
        database.owner_dsn, autocommit=True
    ) as connection:
        yield connection


async def reserve(buyer: Buyer, event_id: int, user_id: str, key: str) -> Any:
    """Books a seat; returns the id of the booking."""
    return await buyer.reserve(event_id, user_id, key)


async def hold(buyer: Buyer, event_id: int, user_id: str, key: str) -> Any:
    """Holds two seats of a screening; returns the id of the reservation."""
    held = await buyer.hold(event_id, user_id, [1, 2] if user_id == "ada" else [3, 4], key)
    return held.reservation_id


def concert(system: System) -> int:
    """Creates an event with any number of seats per user."""
    with open_client(system.url) as client:
        return int(create_event(client, 10, one_booking_per_user=False)["id"])


def screening(system: System) -> int:
    """Creates a screening."""
    with open_cinema(system) as cinema:
        return cinema.screening()


async def until_followed(owner: psycopg.AsyncConnection) -> None:
    """Returns once bookings knows all events."""

    async def is_followed() -> bool:
        found = await owner.execute(
            "SELECT FROM events.head JOIN bookings.following USING (epoch, sequence)"
        )
        return found.rowcount == 1

    await until(is_followed)


async def seats(owner: psycopg.AsyncConnection, event_id: int) -> list[str]:
    """Lists the users with a seat."""
    rows = await owner.execute(
        "SELECT user_id FROM bookings.bookings WHERE event_id = %s ORDER BY user_id", [event_id]
    )
    return [user for (user,) in await rows.fetchall()]


@pytest.mark.parametrize(("create", "ask"), [(concert, reserve), (screening, hold)])
@pytest.mark.parametrize("then", ["killed", "continued"])
async def test_a_stopped_replica_delays_others_for_seconds_only(
    running: System,
    buyers: list[Buyer],
    owner: psycopg.AsyncConnection,
    then: str,
    create: Callable[[System], int],
    ask: Ask,
) -> None:
    """A process that hangs could keep its lock, and so stop an event's sale for as long.

    The decision that the replica had not saved is lost with the lock. The repeated key has one
    booking, whether the process dies or goes on.
    """
    event_id, key = await asyncio.to_thread(create, running), new_key()
    await until_followed(owner)
    victim = running.bookings[0]
    stopped, other = buyers
    victim.kill()
    victim.start(**STOPPED)
    await asyncio.to_thread(running.wait_until_ready)
    request = asyncio.ensure_future(ask(stopped, event_id, "ada", key))
    await until_stopped(victim)
    started = time.monotonic()
    await until_done(ask, other, event_id, "bob", new_key())
    print(f"waited for {time.monotonic() - started:.2f} s")
    assert victim.is_stopped
    if then == "killed":
        victim.kill()
        victim.start()
    else:
        victim.resume()
    with pytest.raises((grpc.aio.AioRpcError, Refusal)):
        await request
    await asyncio.to_thread(running.wait_until_ready)
    booked = {await until_done(ask, buyer, event_id, "ada", key) for buyer in buyers}
    assert len(booked) == 1
    assert await seats(owner, event_id) == ["ada", "bob"]
    assert drift(running.database) == []


async def until_stopped(process: Process) -> None:
    """Returns once the process has reached the failpoint that stops it."""

    async def is_stopped() -> bool:
        return process.is_stopped

    await until(is_stopped)


async def until_done(ask: Ask, buyer: Buyer, event_id: int, user_id: str, key: str) -> Any:
    """Repeats a request until it succeeds; returns its answer. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError, Refusal):
                return await ask(buyer, event_id, user_id, key)
            await asyncio.sleep(0.05)  # as a client waits before it asks again
