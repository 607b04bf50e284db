"""The process: it listens where it is told, and ends in order."""

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.certificates import Authority
from tests.gateway import messages
from tests.gateway.script import Script, ScriptedServer

# For what takes a moment, unless the machine is busy with others.
PATIENCE_SECONDS = 60
# What would be waited for longer than that.
GRACE_SECONDS = 10 * PATIENCE_SECONDS


@asynccontextmanager
async def gateway_process(
    ports: Sequence[int], target: str = "127.0.0.1:1", **settings: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `python -m gateway` on the ports."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=os.environ
        | {
            "PORT": str(ports[0]),
            "EXTRA_PORTS": ", ".join(map(str, ports[1:])),
            "BOXOFFICE_OPEN_ACCESS": "true",
            "GATEWAY_BATCH_SIZE": "1",
            "GATEWAY_GRACE_SECONDS": str(GRACE_SECONDS),
            "GATEWAY_ACCOUNTS_TARGET": target,
            "GATEWAY_EVENTS_TARGET": target,
            "GATEWAY_BOOKINGS_TARGET": target,
            **settings,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def answers(client: httpx.AsyncClient, url: str) -> bool:
    """Returns whether a server listens there."""
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False


async def started(client: httpx.AsyncClient, ports: Sequence[int], scheme: str = "http") -> None:
    """Waits until every port answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for port in ports:
            url = f"{scheme}://127.0.0.1:{port}/health"
            while not await answers(client, url):  # noqa: ASYNC110 - ports tell nobody
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_request_in_flight_is_finished_on_sigterm(
    unused_tcp_port_factory: Callable[[], int], tmp_path: Path, scheme: str
) -> None:
    """Each restart would lose requests, or send clients back to a process that ends."""
    files = Authority(tmp_path).issue("server")
    tls = {"GATEWAY_TLS_CERT": str(files.certificate), "GATEWAY_TLS_KEY": str(files.key)}
    ports = [unused_tcp_port_factory(), unused_tcp_port_factory()]
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async def slow(request: Any) -> Any:
        arrived.set()
        await may_answer.wait()
        return messages.reserved(request)

    server = ScriptedServer(Script({"Reserve": slow}))
    async with (
        gateway_process(
            ports, await server.start(), **(tls if scheme == "https" else {})
        ) as process,
        httpx.AsyncClient(verify=ssl.create_default_context(cafile=files.ca)) as client,
    ):
        await started(client, ports, scheme)
        url = f"{scheme}://127.0.0.1:{ports[1]}"
        body = {"event_id": 5, "user_id": "alice"}
        reserving = asyncio.create_task(client.post(f"{url}/api/bookings/reserve", json=body))
        await asyncio.wait_for(arrived.wait(), PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await answers(client, f"{url}/health"):  # noqa: ASYNC110 - ports tell nobody
                await asyncio.sleep(0.05)
        may_answer.set()
        answer = await reserving
        assert (answer.status_code, answer.headers["connection"]) == (201, "close")
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0
    await server.stop()


async def test_a_taken_port_is_named(unused_tcp_port: int) -> None:
    """An operator would have to guess the port, or read a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with gateway_process([unused_tcp_port, port]) as process:
            _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().startswith(f"Boxoffice gateway: cannot listen on 127.0.0.1:{port}")
    assert "Traceback" not in said.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_idle_gateway_ends_at_once(unused_tcp_port: int, number: signal.Signals) -> None:
    """Each restart would wait for clients that ask for nothing."""
    async with gateway_process([unused_tcp_port]) as process, httpx.AsyncClient() as client:
        await started(client, [unused_tcp_port])
        process.send_signal(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() == 0
