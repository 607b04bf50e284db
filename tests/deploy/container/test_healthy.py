import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.container.healthy import is_healthy, process_of
from services.kit.server.server import SERVING
from tests.certificates import Authority
from tests.services.kit.serving import serving


@pytest.mark.parametrize(
    ("command", "process"),
    [
        ("python -m gateway", "gateway"),
        ("python -m services.bookings", "bookings"),
        ("/sbin/docker-init -- entrypoint events", "events"),
        ("python -m deploy.operator up", "up"),
        ("python -m services.migrate", None),
        ("", None),
    ],
)
def test_the_process_is_found_in_its_command(command: str, process: str | None) -> None:
    """A health check could ask a process that does not run in this container."""
    assert process_of(command.split()) == process


async def test_a_service_that_serves_is_healthy() -> None:
    """A working replica could be taken away."""
    async with serving() as served:
        environment = {"EVENTS_LISTEN": served.target}
        assert await is_healthy("events", environment)
        await served.server.stop()
        assert not await is_healthy("events", environment)


async def test_the_database_is_looked_at_if_that_is_asked_for() -> None:
    """A replica that never reached its database could get requests."""
    async with serving() as served:
        environment = {"EVENTS_LISTEN": served.target}
        assert not await is_healthy("events", environment, part="database")
        await served.server.health.set("database", SERVING)
        assert await is_healthy("events", environment, part="database")


async def test_a_service_with_tls_is_asked_with_its_own_certificate(tmp_path: Path) -> None:
    """A working replica could be taken away because it refuses strangers."""
    files = Authority(tmp_path / "ca").issue("events", "events.internal")
    environment = {
        "EVENTS_TLS_CERT": str(files.certificate),
        "EVENTS_TLS_KEY": str(files.key),
        "EVENTS_TLS_CA": str(files.ca),
    }
    async with serving(tls=files) as served:
        listen = {"EVENTS_LISTEN": served.target}
        assert await is_healthy("events", environment | listen)
        assert not await is_healthy("events", listen)


@pytest.mark.parametrize(
    ("status", "healthy"), [("200 OK", True), ("503 Service Unavailable", False), ("", False)]
)
async def test_a_gateway_that_answers_is_healthy(status: str, healthy: bool) -> None:
    """A gateway that answers nobody could stay, or a working one be taken away."""
    async with answering(status) as port:
        assert await is_healthy("gateway", {"PORT": str(port)}) is healthy
    assert not await is_healthy("gateway", {"PORT": str(port)})


async def test_a_gateway_with_tls_is_asked_with_tls(tmp_path: Path) -> None:
    """A working gateway could be taken away because it answers HTTPS only."""
    files = Authority(tmp_path / "ca").issue("gateway", "tickets.example.com")
    assert files.certificate is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.certificate, files.key)
    async with answering("200 OK", context) as port:
        environment = {"PORT": str(port), "GATEWAY_TLS_CERT": str(files.certificate)}
        assert await is_healthy("gateway", environment)
        assert not await is_healthy("gateway", {"PORT": str(port)})


async def test_what_serves_nothing_is_healthy() -> None:
    """A container that migrates could be ended before it is done."""
    assert await is_healthy(None, {})


@contextlib.asynccontextmanager
async def answering(status: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Runs an HTTP server that answers each request with one status, or closes the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if status:
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
