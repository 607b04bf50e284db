import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import Any

import grpc
import psycopg
from grpc_health.v1 import health_pb2, health_pb2_grpc

from boxoffice.bookings.v1 import (
    bookings_pb2,
    bookings_pb2_grpc,
)
from services.bookings.__main__ import serving
from services.kit.rpc.errors import refusal_from_call
from tests.conftest import Database
from tests.services.bookings.serving import (
    KEY,
    FakeCatalogue,
    bookings_serving,
    called_over,
    catalogue_serving,
    refused,
    settings,
)
from tests.services.conditions import until, until_blocked

# How long a process may take to start on a busy machine.
PROCESS_SECONDS = 60


async def test_bookings_serves_what_it_knows_without_events(database: Database) -> None:
    """While events is down, known events would not be sold, or unknown ones be called missing."""
    async with (
        serving(settings(database, "127.0.0.1:1")) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        alone = called_over(channel, FakeCatalogue())
        await alone.apply(alone.catalogue.put(1))
        assert (await alone.reserve()).reservation.event_id == 1
        assert (await refused(alone.reserve(2))).reason == "UNAVAILABLE"


async def test_every_call_that_was_accepted_is_answered_though_it_stops(database: Database) -> None:
    """Calls that wait for a lock would be dropped when the process stops."""
    async with contextlib.AsyncExitStack() as clients, catalogue_serving() as (catalogue, target):
        holder = await clients.enter_async_context(
            await psycopg.AsyncConnection.connect(database.owner_dsn)
        )
        async with serving(settings(database, target)) as port:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            await clients.enter_async_context(channel)
            stopping = called_over(channel, catalogue)
            await stopping.apply(catalogue.put(1, total_seats=30))
            await holder.execute("SELECT FROM bookings.inventory FOR UPDATE")
            asked = [
                asyncio.ensure_future(stopping.reserve(user_id=f"user-{number}"))
                for number in range(50)
            ]
            await _until_one_is_blocked(database)
            # A connection keeps the order of requests: with this response all of them have arrived.
            health: Any = health_pb2_grpc.HealthStub(channel)
            await health.Check(health_pb2.HealthCheckRequest())
            releasing = asyncio.create_task(_release_when_stopping(holder, channel))
        await releasing
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    errors = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    refusals = [refusal_from_call(error) for error in errors]
    assert [refusal and refusal.reason for refusal in refusals] == ["SOLD_OUT"] * 20
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 30


async def _until_one_is_blocked(database: Database) -> None:
    watcher = await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True)
    async with watcher:
        await until_blocked(watcher, 1)


async def _release_when_stopping(
    holder: psycopg.AsyncConnection, channel: grpc.aio.Channel
) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    service = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].full_name

    async def is_stopping() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

    await until(is_stopping)
    await holder.commit()


def free_port() -> int:
    """Returns a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_process_ends_in_order_on_sigterm(database: Database) -> None:
    """A rolling update would interrupt a call in flight, or end with an error."""
    listen = f"127.0.0.1:{free_port()}"
    async with catalogue_serving() as (catalogue, target):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.bookings",
            stdout=asyncio.subprocess.DEVNULL,
            env=os.environ
            | {
                "BOOKINGS_DATABASE_URL": database.bookings_dsn,
                "BOOKINGS_LISTEN": listen,
                "BOOKINGS_EVENTS_TARGET": target,
                "BOXOFFICE_SERVICE_KEY": KEY,
                "BOXOFFICE_OPEN_ACCESS": "1",
            },
        )
        catalogue.put(1)
        try:
            await _interrupt_a_reservation(process, listen, database)
            assert await asyncio.wait_for(process.wait(), PROCESS_SECONDS) == 0
        finally:
            if process.returncode is None:
                process.kill()


async def _interrupt_a_reservation(
    process: asyncio.subprocess.Process, listen: str, database: Database
) -> None:
    """Sends SIGTERM while a reservation waits for a lock; returns after its response."""
    async with (
        grpc.aio.insecure_channel(listen) as channel,
        await psycopg.AsyncConnection.connect(database.owner_dsn) as holder,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watcher,
    ):
        stub: Any = bookings_pb2_grpc.BookingsServiceStub(channel)
        first = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
        await stub.Reserve(first, wait_for_ready=True, timeout=PROCESS_SECONDS)
        await holder.execute("SELECT FROM bookings.inventory FOR UPDATE")
        call = stub.Reserve(bookings_pb2.ReserveRequest(event_id=1, user_id="bob"), timeout=10)
        await until_blocked(watcher, 1)
        process.send_signal(signal.SIGTERM)
        await holder.commit()
        assert (await call).reservation.user_id == "bob"


async def test_an_absent_database_is_unavailable_and_comes_back(database: Database) -> None:
    """Bookings would not start without its database, or need a restart once it is back."""
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as owner:
        await owner.execute("ALTER ROLE boxoffice_bookings NOLOGIN")
        try:
            async with bookings_serving(database, is_reachable=False) as served:
                served.catalogue.put(1)
                assert (await refused(served.reserve())).reason == "UNAVAILABLE"
                await owner.execute("ALTER ROLE boxoffice_bookings LOGIN")

                async def is_back() -> bool:
                    try:
                        await served.reserve()
                    except grpc.aio.AioRpcError:
                        return False
                    return True

                await until(is_back)
        finally:
            await owner.execute("ALTER ROLE boxoffice_bookings LOGIN")
