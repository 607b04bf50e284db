"""Closed connections leave nothing to the collector of cycles, which holds all requests up."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Iterator
from dataclasses import replace

import uvloop

from gateway.http.server.limits import LIMITS
from tests.e2e.raw_http import request
from tests.gateway.conftest import run_gateway

HEALTH = request("GET", "/health")
SENT = {
    "nothing": b"",
    "a request": HEALTH,
    "several": HEALTH * 3,
    "the last request": request("GET", "/health", headers={"Connection": "close"}),
    "an offer of HTTP/2": request(
        "GET", "/health", headers={"Connection": "upgrade", "Upgrade": "h2c"}
    ),
    "half a request": HEALTH[:9],
    "nonsense": b"nonsense\r\n\r\n",
    "too much": b"GET /" + b"a" * 9_000,
    "an unknown method": HEALTH.replace(b"GET", b"FOO"),
    "an unknown path": request("GET", "/nowhere"),
    "an unknown id": request("GET", "/events/x"),
    "for a service that is down": request("DELETE", "/events/5"),
    "wrong JSON": request("POST", "/api/bookings/reserve", b"{"),
}
ROUNDS = 5
QUICK = replace(LIMITS, connections=1, address_connections=1, linger_seconds=0.01)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keeps the collector from running by itself."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def start_counting() -> None:
    """Lets the next `gc.collect` return what has become garbage since now."""
    gc.collect()
    gc.freeze()


async def visit(port: int, sent: bytes) -> None:
    """Connects, sends, reads an answer if there may be one, and hangs up."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, sent)
        if sent.endswith((b"\r\n\r\n", b"{", b"a")):
            await loop.sock_recv(client, 65_536)


async def leftovers() -> dict[str, int]:
    """Counts what the collector finds, by what was sent on connections that have come and gone."""
    found = {}
    async with run_gateway("127.0.0.1:1", QUICK) as gateway:
        for name, sent in SENT.items():
            for _ in range(2):
                await visit(gateway.port, sent)
            start_counting()
            for _ in range(ROUNDS):
                await visit(gateway.port, sent)
            # By the time this one is answered, those before it are gone.
            await visit(gateway.port, HEALTH)
            found[name] = gc.collect()
    return found


def test_a_closed_connection_leaves_no_cycles() -> None:
    """Memory would grow until the collector runs, which stops all requests meanwhile."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, uncollected():
        found = runner.run(leftovers())
    assert {name: count for name, count in found.items() if count >= ROUNDS} == {}


def leave_a_cycle() -> None:
    """Leaves an object that refers to itself."""
    cycle: list[object] = []
    cycle.append(cycle)


def test_the_count_would_show_a_cycle() -> None:
    """The test above would pass whatever it counts."""
    with uncollected():
        start_counting()
        for _ in range(ROUNDS):
            leave_a_cycle()
        assert gc.collect() >= ROUNDS
