"""Live updates: clients that watch an event while others book it.

Every client reads its stream; the times of one in twenty are measured, so that the generator, which
shares the cores, takes little.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

import uvloop

from gateway.http.server import file_descriptors
from tests.bench.cases import Reserving
from tests.bench.database import ROOM
from tests.bench.open_loop import Arrivals, arrive
from tests.bench.system import System
from tests.e2e.raw_http import request, reservation

CHANGES_PER_SECOND = 100
BESIDE_HOT = 1_000
MEASURED = 20
"""One client in so many is measured."""

SETTINGS: Mapping[str, str] = {
    "GATEWAY_ADDRESS_CONNECTIONS": "10000",
    "GATEWAY_ADDRESS_STREAMS": "10000",
}
"""All clients have one address here."""

_AT = re.compile(rb'"timestamp":"([^"]+)"')
_PING = b"\x81\x012"
_ZERO_MASK = bytes(4)


class Client(asyncio.Protocol):
    """A client that watches; `seconds` are the times from a decision to its arrival here."""

    def __init__(self, event_id: int, *, is_measured: bool) -> None:
        self.event_id = event_id
        self._is_measured = is_measured
        self._transport: asyncio.Transport | None = None
        self.began = asyncio.get_running_loop().create_future()
        self.seconds: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asks for the stream."""
        self._transport = cast(asyncio.Transport, transport)
        self.send(self.request())

    def request(self) -> bytes:
        """Returns the request of the stream."""
        return request("GET", f"/api/events/{self.event_id}/stream")

    def data_received(self, data: bytes) -> None:
        """Notes how old the changes are."""
        if not self.began.done():
            if b"seat_status_update" in data:
                self.began.set_result(None)
        elif self._is_measured:
            now = time.time()
            self.seconds += [now - _seconds(at) for at in _AT.findall(data)]

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Hangs up."""
        if self._transport is not None:
            self._transport.close()


class SocketClient(Client):
    """A client of Socket.IO on a WebSocket. It speaks no more of the protocol than it needs."""

    def request(self) -> bytes:
        """Returns the handshake."""
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        return request("GET", "/socket.io/?EIO=4&transport=websocket", headers=headers)

    def data_received(self, data: bytes) -> None:
        """Joins the event, and answers pings."""
        if b'0{"sid"' in data:
            self.send(_frame(b"40" if b"pingInterval" in data else self._join()))
        if data.endswith(_PING):
            self.send(_frame(b"3"))
        super().data_received(data)

    def _join(self) -> bytes:
        return b'42["join_screening",%d]' % self.event_id


CROWDS: Mapping[str, tuple[type[Client], int]] = {
    "WATCHING 1,000": (Client, 1_000),
    "WATCHING 5,000": (Client, 5_000),
    "WATCHING sockets": (SocketClient, 500),
}
HOT = "WATCHING HOT"


def report(system: System, seconds: float, is_chosen: Callable[[str], bool]) -> Iterator[str]:
    """Measures the chosen crowds, or all of them for `WATCHING`; yields a line for each."""
    file_descriptors.raise_limit()
    has_all = is_chosen("WATCHING")
    crowds = [(name, *crowd) for name, crowd in CROWDS.items() if has_all or is_chosen(name)]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if crowds:
            yield f"WATCHING: {CHANGES_PER_SECOND} reservations a second of an event with a crowd;"
            yield "    ms from the decision to the client (goal: reserve p99 at most twice)"
        for name, kind, size in [("nobody", Client, 0), *crowds] if crowds else ():
            measured = runner.run(_measure(system, kind, size, seconds))
            yield f"    {name:>16}: {measured}"
        if has_all or is_chosen(HOT):
            alone = runner.run(_hot(system, 0, seconds))
            beside = runner.run(_hot(system, BESIDE_HOT, seconds))
            yield f"{HOT}: HOT with {BESIDE_HOT} clients is {beside / alone:.2f} of HOT"


async def _measure(system: System, kind: type[Client], crowd: int, seconds: float) -> str:
    """Books an event at a steady rate while a crowd watches it."""
    event_id = system.create_event(ROOM)
    memory = system.memory_mb()["gateway"]
    async with _watched(system.port, event_id, crowd, kind) as clients:
        grown = system.memory_mb()["gateway"] - memory
        before = system.cpu_seconds()["gateway"]
        arrivals = await _book(system.port, event_id, seconds)
        used = system.cpu_seconds()["gateway"] - before
    times = sorted(second for client in clients for second in client.seconds)
    measured = max(1, sum(bool(client.seconds) for client in clients))
    rate = len(times) / measured / seconds
    return (
        f"seen after p50 / p99 {_milliseconds(times)}, {rate:.0f} events/s each; reserve p99"
        f" {1e3 * arrivals.wait(201, 99):.1f}; gateway {100 * used / seconds:.0f} % of a core,"
        f" {1024 * grown / max(1, crowd):.1f} KB a client"
    )


async def _book(port: int, event_id: int, seconds: float) -> Arrivals:
    def write(number: int) -> bytes:
        return reservation(event_id, f"watched-{event_id}-{number}")

    return await arrive("127.0.0.1", port, write, rate=CHANGES_PER_SECOND, seconds=seconds)


async def _hot(system: System, crowd: int, seconds: float) -> float:
    """Returns the rate of HOT while a crowd watches its event."""
    hot = Reserving(system, "HOT", 0, lambda: system.create_event(ROOM))
    await asyncio.to_thread(hot.prepare)
    async with _watched(system.port, hot.first, crowd):
        load = await asyncio.to_thread(hot.drive, seconds)
    return load.succeeded / load.seconds


@contextlib.asynccontextmanager
async def _watched(
    port: int, event_id: int, crowd: int, kind: type[Client] = Client
) -> AsyncIterator[Sequence[Client]]:
    """Lets a crowd watch an event during the block."""
    loop = asyncio.get_running_loop()
    clients = [kind(event_id, is_measured=n % MEASURED == 0) for n in range(crowd)]
    for client in clients:
        await loop.create_connection(lambda: client, "127.0.0.1", port)  # noqa: B023 - called at once
    await asyncio.gather(*(client.began for client in clients))
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def _frame(text: bytes) -> bytes:
    """Returns a text message of fewer than 126 bytes, masked with zeros."""
    return bytes((0x81, 0x80 | len(text))) + _ZERO_MASK + text


def _milliseconds(seconds: Sequence[float]) -> str:
    found = seconds or [0.0]
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    return f"{1e3 * p50:.0f} / {1e3 * p99:.0f}"


def _seconds(at: bytes) -> float:
    return datetime.fromisoformat(at.decode()).timestamp()
