"""Many connections and many requests: who is served, and who is not."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from uvicorn.server import ServerState

from gateway.http.app import App
from gateway.http.server import file_descriptors
from gateway.http.server.connection import HttpProtocol
from gateway.http.server.connection_budget import ConnectionBudget
from gateway.http.server.limits import LIMITS
from tests.e2e.raw_http import Connection, request, reservation
from tests.gateway import messages
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.script import Script, ScriptedServer

HEALTH, READY, METRICS = (request("GET", path) for path in ("/health", "/ready", "/metrics"))
RESERVE = reservation(5, "alice")
UNAVAILABLE = 503, "unavailable"
OTHER = "127.0.0.2"


@dataclass
class Crowd:
    """A gateway, and the connections to it."""

    gateway: Gateway
    arrived: asyncio.Event
    may_answer: asyncio.Event
    connections: list[Connection] = field(default_factory=list)

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        """Opens a connection from an address of this machine."""
        opened = await asyncio.open_connection(
            "127.0.0.1", self.gateway.port, local_addr=(address, 0)
        )
        self.connections.append(Connection(*opened))
        return self.connections[-1]

    async def reserving(self) -> Connection:
        """Opens a connection with a request that is answered later."""
        connection = await self.connect()
        self.arrived.clear()
        connection.send(RESERVE)
        await asyncio.wait_for(self.arrived.wait(), 5)
        return connection


@contextlib.asynccontextmanager
async def crowded(connections: int = 2, own: int = 2, **named: object) -> AsyncIterator[Crowd]:
    """Runs a gateway with room for few, whose reservations wait."""
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(asked: Any) -> Any:
        arrived.set()
        await may_answer.wait()
        return messages.reserved(asked)

    server = ScriptedServer(Script({"Reserve": slow}))
    limits = replace(LIMITS, connections=connections, address_connections=own)
    async with run_gateway(await server.start(), limits, **named) as gateway:
        crowd = Crowd(gateway, arrived, may_answer)
        try:
            yield crowd
        finally:
            may_answer.set()
            for connection in crowd.connections:
                await connection.close()
    await server.stop()


async def test_a_newcomer_is_served_though_idle_ones_take_all_the_room() -> None:
    """Clients that asked once would keep everybody out until they hang up."""
    file_descriptors.raise_limit()
    async with crowded(900, 900) as crowd:
        for _ in range(1_000):
            connection = await crowd.connect()
            assert (await connection.ask(HEALTH)).status == 200
        newcomer = await crowd.connect(OTHER)
        crowd.may_answer.set()
        assert (await newcomer.ask(RESERVE)).status == 201
        assert (await newcomer.ask(READY)).status == 200
        assert await crowd.connections[0].is_closed()
        assert await crowd.connections[100].is_closed()
        assert (await crowd.connections[101].ask(HEALTH)).status == 200


async def test_a_request_in_flight_keeps_its_connection() -> None:
    """A request under way would be lost to somebody who connects later."""
    async with crowded() as crowd:
        reserving = await crowd.reserving()
        idle = await crowd.connect()
        assert (await idle.ask(HEALTH)).status == 200
        newcomer = await crowd.connect(OTHER)
        assert (await newcomer.ask(HEALTH)).status == 200
        assert await idle.is_closed()
        crowd.may_answer.set()
        assert (await reserving.answer()).status == 201


async def test_half_a_request_keeps_its_connection() -> None:
    """A client that is still sending would lose its request."""
    async with crowded(1, 1) as crowd:
        slow = await crowd.connect()
        slow.send(RESERVE[:9])
        newcomer = await crowd.connect(OTHER)
        assert (await newcomer.ask(RESERVE)).outcome == UNAVAILABLE
        crowd.may_answer.set()
        slow.send(RESERVE[9:])
        assert (await slow.answer()).status == 201


async def test_balancers_are_answered_where_there_is_no_room() -> None:
    """They would take the gateway away just when it is needed."""
    async with crowded() as crowd:
        for _ in range(2):
            await crowd.reserving()
        for vital in (HEALTH, READY, METRICS):
            newcomer = await crowd.connect(OTHER)
            answer = await newcomer.ask(vital)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
        refused = await (await crowd.connect(OTHER)).ask(RESERVE)
        assert refused.outcome == UNAVAILABLE
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("1", "close")


async def test_one_address_does_not_take_the_room_of_others() -> None:
    """One client with many connections would keep all others out."""
    async with crowded(4, 2) as crowd:
        for _ in range(2):
            await crowd.reserving()
        assert (await (await crowd.connect()).ask(RESERVE)).outcome == UNAVAILABLE
        crowd.may_answer.set()
        assert (await (await crowd.connect(OTHER)).ask(RESERVE)).status == 201
    async with crowded(4, 2, trusted_proxies="127.0.0.0/8") as crowd:
        for _ in range(3):
            await crowd.reserving()


async def test_requests_are_bounded_apart_from_connections() -> None:
    """Pipelined requests would fill the memory, or balancers see a full gateway as dead."""
    async with crowded(10, 10, max_requests=2) as crowd:
        first = await crowd.reserving()
        await crowd.reserving()
        newcomer = await crowd.connect()
        refused = await newcomer.ask(RESERVE)
        assert refused.outcome == UNAVAILABLE
        assert "connection" not in refused.headers
        assert (await newcomer.ask(request("OPTIONS", "/events"))).status == 405
        assert (await newcomer.ask(READY)).status == 200
        crowd.may_answer.set()
        assert (await first.answer()).status == 201
        assert (await newcomer.ask(RESERVE)).status == 201


@pytest.mark.parametrize(("sent", "makes_way"), [(b"", True), (HEALTH[:1], False)])
async def test_a_request_that_has_arrived_keeps_its_connection(
    sent: bytes, *, makes_way: bool
) -> None:
    """A request that its client takes for sent would be lost unread."""
    shared = {"app": App((), ()), "connections": ConnectionBudget(LIMITS)}
    protocol = type("Protocol", (HttpProtocol,), shared)(ServerState())
    ours, client = socket.socketpair()
    loop = asyncio.get_running_loop()
    with client:
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, ours)
        client.send(sent)
        assert protocol.close_if_idle() is transport.is_closing() is makes_way
        transport.abort()
