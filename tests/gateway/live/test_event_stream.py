import asyncio
import contextlib
import gc
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, cast

import httpx
import psutil
import pytest
import pytest_asyncio
import uvloop

from gateway.http.server.connection import HttpProtocol
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.stream_socket import SEND_BUFFER_BYTES
from gateway.live.pace import PACE
from services.bookings.errors import EventNotFound
from tests.e2e.raw_http import request
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.live.ledger import EVENT_ID, HELD, Ledger, ledger_server
from tests.gateway.live.viewer import Viewer
from tests.gateway.test_garbage import start_counting, uncollected

SECONDS = 20
PAGE_BYTES = 100 * 250
PATH = f"/api/events/{EVENT_ID}/stream"


class Client(Viewer):
    """A client of the stream, over a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self.reader = reader
        self.writer = writer

    async def head(self) -> str:
        """Reads the head of the response."""
        async with asyncio.timeout(SECONDS):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def block(self) -> bytes:
        """Reads until the next blank line, and applies what it says."""
        async with asyncio.timeout(SECONDS):
            block = await self.reader.readuntil(b"\n\n")
        self.read(block)
        return block

    async def until(self, revision: int) -> None:
        """Reads until it has a revision."""
        while self.revision < revision:
            await self.block()


@contextlib.asynccontextmanager
async def streaming(
    gateway: Gateway, path: str = PATH, headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """Asks for a stream."""
    receiver = socket.socket()
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiver.setblocking(False)
    await asyncio.get_running_loop().sock_connect(receiver, ("127.0.0.1", gateway.port))
    client = Client(*await asyncio.open_connection(sock=receiver))
    client.writer.write(request("GET", path, headers=headers or {}))
    yield client
    client.writer.close()


@pytest_asyncio.fixture
async def ledger() -> Ledger:
    """Returns a ledger with some changes."""
    made = Ledger()
    await made.hold_and_free(3)
    return made


@contextlib.asynccontextmanager
async def gateway_of(ledger: Ledger, limits: Limits = LIMITS) -> AsyncIterator[Gateway]:
    """Runs a gateway in front of a ledger."""
    async with ledger_server(ledger) as target, run_gateway(target, limits) as gateway:
        yield gateway


def connections(gateway: Gateway) -> list[HttpProtocol]:
    """Returns the connections of a gateway."""
    return list(cast(Any, gateway.server.server_state.connections))


def watchers(gateway: Gateway) -> int:
    """Counts the clients that watch the event of the ledger."""
    return sum(len(each.channel.watchers) for each in gateway.hub.seats._followed.values())


async def until(condition: Callable[[], bool]) -> None:
    """Lets the gateway go on until a condition holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def test_a_stream_begins_with_all_seats(ledger: Ledger) -> None:
    """A page would have to ask for the seats apart, and miss what happens in between."""
    async with gateway_of(ledger) as gateway, streaming(gateway) as client:
        head = await client.head()
        assert head.startswith("http/1.1 200 ok\r\n")
        for line in (
            "content-type: text/event-stream",
            "cache-control: no-store",
            "x-accel-buffering: no",
            "connection: close",
        ):
            assert f"{line}\r\n" in head
        assert "content-length" not in head
        assert "transfer-encoding" not in head
        retry = re.fullmatch(rb"retry: (\d+)\n\n", await client.block())
        assert retry is not None
        assert 1000 <= int(retry[1]) <= 4000
        await client.until(3)
        [status] = client.events
        assert status["available_seats"][0] == {"id": 2, "row": "A", "number": 2, "type": "REGULAR"}
        await ledger.add(HELD, 5)
        await client.until(4)
        assert client.taken == {1: "HELD", 5: "HELD"}


@pytest.mark.parametrize(
    ("query", "headers"),
    [("?after_revision=2", {}), ("?after_revision=1", {"Last-Event-ID": "2"})],
)
async def test_a_client_goes_on_after_what_it_has(
    ledger: Ledger, query: str, headers: dict[str, str]
) -> None:
    """A browser repeats the address it began with, and sends what it has in the header."""
    async with gateway_of(ledger) as gateway, streaming(gateway, PATH + query, headers) as client:
        client.revision = 2
        await client.until(3)
        assert (client.statuses, len(client.events)) == (0, 1)


async def test_what_opens_no_stream_is_ordinary_json(ledger: Ledger) -> None:
    """EventSource would show an error without a reason, and try again for ever."""
    async with (
        gateway_of(ledger) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        answer = await client.get(PATH, headers={"Last-Event-ID": "x"})
        assert answer.status_code == 422
        assert answer.json()["details"][0]["path"] == "last_event_id"
        for query in ("?history=5", "?after_version=1"):
            assert (await client.get(PATH + query)).status_code == 422
        assert (await client.get(PATH, headers={"Accept": "application/json"})).status_code == 406
        ledger.refusal = EventNotFound()
        answer = await client.get("/api/events/8/stream")
        assert (answer.status_code, answer.json()) == (404, {"error": "event_not_found"})


async def test_head_opens_no_stream(ledger: Ledger) -> None:
    """It would be kept open for a client that wants no body."""
    async with gateway_of(ledger) as gateway, httpx.AsyncClient(base_url=gateway.url) as client:
        answer = await client.head(PATH)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"


async def test_an_outage_of_bookings_loses_nothing(ledger: Ledger) -> None:
    """Clients would have to notice and reload."""
    async with gateway_of(ledger) as gateway, streaming(gateway) as client:
        await client.until(3)
        await ledger.break_watches()
        await ledger.hold_and_free(2)
        await client.until(5)
        assert client.statuses == 1


async def test_a_client_that_does_not_read_costs_little(ledger: Ledger) -> None:
    """A few hundred stopped phones would take all memory; who goes on reading gets everything."""
    async with gateway_of(ledger) as gateway, streaming(gateway) as client:
        await client.until(3)
        async with streaming(gateway) as fast:
            for revision in range(103, 3_004, 100):
                await ledger.hold_and_free(100)
                await fast.until(revision)
            buffered = max(each._transport.get_write_buffer_size() for each in connections(gateway))
            assert 0 < buffered < SEND_BUFFER_BYTES + PAGE_BYTES
        await client.until(3_003)
        assert (client.taken, len(client.events)) == (fast.taken, 3_001)


async def test_a_client_that_never_reads_is_cut_off(ledger: Ledger) -> None:
    """Its answers would fill the memory."""
    limits = replace(LIMITS, stream_write_seconds=0.2)
    async with gateway_of(ledger, limits) as gateway, streaming(gateway) as client:
        await client.until(3)
        while connections(gateway):
            await ledger.hold_and_free(100)
            await asyncio.sleep(0)
        await until(lambda: watchers(gateway) == 0)


async def test_the_system_gives_up_on_a_client_that_vanished(ledger: Ledger) -> None:
    """A phone in a tunnel sends no FIN; a quiet stream to it would stay for many minutes."""
    async with gateway_of(ledger) as gateway, streaming(gateway) as client:
        await client.until(3)
        [connection] = connections(gateway)
        opened = connection._transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 2 * SEND_BUFFER_BYTES
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000


STREAMS, ROUNDS = 100, 10


async def open_and_leave(gateway: Gateway) -> None:
    """Opens many streams, reads a little of each, and hangs up."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(STREAMS):
            client = await stack.enter_async_context(streaming(gateway))
            await client.until(3)
    await until(lambda: not connections(gateway) and not watchers(gateway))


async def leftovers() -> tuple[int, int, int]:
    """Counts what streams leave: file descriptors, objects for the collector, followed events."""
    ledger = Ledger()
    await ledger.hold_and_free(3)
    pace = replace(PACE, linger_seconds=0)
    async with (
        ledger_server(ledger) as target,
        run_gateway(target, LIMITS, pace, address_streams=STREAMS) as gateway,
    ):
        await open_and_leave(gateway)
        await until(lambda: not gateway.hub.seats._followed)
        start_counting()
        descriptors = psutil.Process().num_fds()
        for _ in range(ROUNDS):
            await open_and_leave(gateway)
        await until(lambda: not gateway.hub.seats._followed)
        await ledger.wait_for_watches(0)
        found = gc.collect()
        return psutil.Process().num_fds() - descriptors, found, len(gateway.hub.seats._tasks)


def test_streams_leave_nothing() -> None:
    """Each would leave some kilobytes to the collector, which holds every request up."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, uncollected():
        descriptors, garbage, tasks = runner.run(leftovers())
    assert descriptors <= 0
    assert garbage < STREAMS * ROUNDS / 2
    assert tasks == 0
