"""WebSockets whose clients read when the test says so, and what is left when they leave."""

import asyncio
import contextlib
import gc
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import psutil
import uvloop

from gateway.http.server.limits import LIMITS
from gateway.http.server.stream_socket import SEND_BUFFER_BYTES
from gateway.live.pace import PACE
from gateway.sockets.packets import MOST_WAITING
from tests.e2e.raw_http import request
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.live.ledger import EVENT_ID, Ledger, ledger_server

SECONDS = 60
BURST = 200
PAGE_BYTES = 250 * BURST
HANDSHAKE = request(
    "GET",
    "/socket.io/?EIO=4&transport=websocket",
    headers={
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    },
)
CHANGE = re.compile(rb'"after_revision":(\d+),"revision":(\d+),')


def frame(text: bytes) -> bytes:
    """Returns a short text message, masked with zeros."""
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


class Raw:
    """A client that watches the event of the ledger; it needs none of the frames' heads."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._received = b""

    async def join(self) -> None:
        """Connects and joins; reads until it has all seats."""
        self._writer.write(HANDSHAKE)
        for answer, sent in (
            (b"maxPayload", frame(b"40")),
            (b'40{"sid"', frame(b'42["join_screening",%d]' % EVENT_ID)),
        ):
            await self._read_until(answer)
            self._writer.write(sent)
        await self._read_until(b"seat_status_update")

    async def changes_until(self, revision: int) -> list[tuple[int, int]]:
        """Reads until a revision; lists the changes so far by the revisions before and after."""
        await self._read_until(b'"revision":%d,' % revision)
        return [(int(after), int(until)) for after, until in CHANGE.findall(self._received)]

    async def _read_until(self, text: bytes) -> None:
        async with asyncio.timeout(SECONDS):
            while text not in self._received:
                received = await self._reader.read(65_536)
                assert received, "the gateway closed the connection"
                self._received += received


@contextlib.asynccontextmanager
async def joined(gateway: Gateway) -> AsyncIterator[Raw]:
    """Lets a client with small buffers watch the event of the ledger."""
    receiver = socket.socket()
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    receiver.setblocking(False)
    await asyncio.get_running_loop().sock_connect(receiver, ("127.0.0.1", gateway.port))
    reader, writer = await asyncio.open_connection(sock=receiver, limit=4096)
    client = Raw(reader, writer)
    await client.join()
    yield client
    writer.close()


def sockets(gateway: Gateway) -> list[Any]:
    """Returns the sockets of Engine.IO."""
    return list(gateway.sockets._server.eio.sockets.values())


def buffered(gateway: Gateway) -> int:
    """Returns the bytes that wait for the slowest client."""
    connections = cast(Any, gateway.server.server_state.connections)
    sizes: list[int] = [each._transport.get_write_buffer_size() for each in connections]
    return max(sizes)


async def test_a_socket_that_does_not_read_costs_little() -> None:
    """Engine.IO keeps packets without end; who goes on reading gets every change once."""
    ledger = Ledger()
    await ledger.hold_and_free(3)
    async with (
        ledger_server(ledger) as target,
        run_gateway(target) as gateway,
        joined(gateway) as slow,
    ):
        async with joined(gateway) as fast:
            for revision in range(3 + BURST, 2_004, BURST):
                await ledger.hold_and_free(BURST)
                await fast.changes_until(revision)
            # A page goes in as a whole.
            assert max(each.queue.qsize() for each in sockets(gateway)) < MOST_WAITING + BURST
            assert 0 < buffered(gateway) < SEND_BUFFER_BYTES + PAGE_BYTES
        found = await slow.changes_until(2_003)
        assert found == [(revision, revision + 1) for revision in range(3, 2_003)]


SOCKETS, ROUNDS = 10, 10


def has_leftovers(gateway: Gateway) -> bool:
    """Returns whether the gateway still has a connection, a watched event or a socket."""
    connections, hub = gateway.server.server_state.connections, gateway.hub
    return bool(connections or hub.seats._tasks or hub.queues._tasks or sockets(gateway))


async def open_and_leave(gateway: Gateway) -> None:
    """Opens sockets, joins, and hangs up; waits until the gateway has forgotten them."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(SOCKETS):
            await stack.enter_async_context(joined(gateway))
    async with asyncio.timeout(SECONDS):
        while has_leftovers(gateway):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


async def growth() -> tuple[int, int]:
    """Counts the file descriptors and objects that are left of many sockets."""
    ledger = Ledger()
    await ledger.hold_and_free(3)
    pace = replace(PACE, linger_seconds=0)
    async with ledger_server(ledger) as target, run_gateway(target, LIMITS, pace) as gateway:
        # A task of Engine.IO keeps a socket that is closed until its next ping is due.
        gateway.sockets._server.eio.ping_interval = 0
        for _ in range(2):
            await open_and_leave(gateway)
        gc.collect()
        descriptors, objects = psutil.Process().num_fds(), len(gc.get_objects())
        for _ in range(ROUNDS):
            await open_and_leave(gateway)
        gc.collect()
        return psutil.Process().num_fds() - descriptors, len(gc.get_objects()) - objects


def test_sockets_leave_nothing() -> None:
    """Each page that was closed would cost memory or a file descriptor for good."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        descriptors, objects = runner.run(growth())
    assert descriptors <= 0
    assert objects < SOCKETS * ROUNDS
