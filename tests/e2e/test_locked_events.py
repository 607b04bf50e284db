"""Requests that wait for the lock of an event."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg

from tests.e2e.client import create_event, new_user, open_client
from tests.e2e.raw_http import connect, crowd, reservation
from tests.e2e.system import System
from tests.faults.buyers import Purchase
from tests.services.bookings.conftest import drift
from tests.services.conditions import until_blocked

WAITERS = 8


def new_event(system: System) -> int:
    """Creates an event."""
    with open_client(system.url) as client:
        return int(create_event(client, total_seats=50)["id"])


@contextlib.asynccontextmanager
async def locked(system: System, event_id: int) -> AsyncIterator[psycopg.AsyncConnection]:
    """Holds an event's lock for a while; returns a connection that sees who waits for it."""
    dsn = system.database.owner_dsn
    lock = "SELECT FROM bookings.inventory WHERE event_id = %s FOR UPDATE"
    async with (
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as watcher,
        await psycopg.AsyncConnection.connect(dsn) as holder,
    ):
        await holder.execute(lock, [event_id])
        yield watcher


async def test_a_locked_event_delays_no_other(system: System) -> None:
    """One event with a held lock could stop the sale of all others."""
    held, free = new_event(system), new_event(system)
    async with crowd([system.port], WAITERS) as waiters, connect(system.port) as other:
        async with locked(system, held) as watcher:
            requests = [reservation(held, new_user()) for _ in range(WAITERS)]
            waiting = asyncio.create_task(waiters.rush(requests))
            await until_blocked(watcher, 1)
            for _ in range(WAITERS):
                assert (await other.ask(reservation(free, new_user()))).status == 201
            assert not waiting.done()
        assert {answer.status for answer in await waiting} == {201}
    assert drift(system.database) == []


async def test_a_disconnected_client_finds_its_seat_by_its_key(system: System) -> None:
    """A client that disconnects and asks again could book twice, or lose its seat."""
    event_id = new_event(system)
    purchases = [Purchase(event_id) for _ in range(WAITERS)]
    async with locked(system, event_id) as watcher, contextlib.AsyncExitStack() as lines:
        for purchase in purchases:
            line = await lines.enter_async_context(connect(system.port))
            line.send(purchase.request)
            await until_blocked(watcher, 1)
        await lines.aclose()
    await asyncio.gather(*(purchase.settle(system.port) for purchase in purchases))
    answers = [answer for purchase in purchases if (answer := purchase.answers[-1])]
    assert [answer.status for answer in answers] == [201] * WAITERS
    assert len({answer.json["booking_id"] for answer in answers}) == WAITERS
    assert answers[0].headers["idempotent-replayed"] == "true"
    assert drift(system.database) == []
