"""HTTPS: who gets a connection, and what stays as without TLS. On uvloop, as in production."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
import uvloop
from websockets.asyncio.client import connect

from gateway.http.app import App
from gateway.http.messages import JSON_HEADERS, Request, Response
from gateway.http.middleware.strict_transport import StrictTransport
from gateway.http.routing import Route
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.listening import listen
from gateway.http.server.server import Server, serving
from gateway.http.server.web_socket import WebSocketStream, web_socket_config
from services.kit.tls import reloading
from services.kit.tls.files import TlsFiles
from services.kit.tls.http_server import server_context
from tests.certificates import Authority
from tests.e2e.raw_http import Connection
from tests.middleman import context_of, listening_in, to_server

HEALTH = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
Test: TypeAlias = Callable[..., Coroutine[Any, Any, None]]


def on_uvloop(test: Test) -> Callable[..., None]:
    """Runs a test on the event loop of the gateway, whose TLS is another one than Python's."""

    @wraps(test)
    def run(**fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(**fixtures))

    return run


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """Returns the authority that clients trust; its files are looked at for each connection."""
    monkeypatch.setattr(reloading, "LOOK_SECONDS", 0)
    return Authority(tmp_path / "ours")


async def health(request: Request) -> Response:
    """Returns an empty object."""
    return Response(200, JSON_HEADERS, b"{}")


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Sends the first message of a WebSocket back."""
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    await send({"type": "websocket.send", "text": message["text"]})
    await receive()


async def web_socket(request: Request) -> Response:
    """Turns a connection into a WebSocket."""
    return Response(101, (), b"", WebSocketStream(request, web_socket_config(echo)))


@dataclass(frozen=True, slots=True)
class Https:
    """A server of one route, and a WebSocket."""

    port: int
    server: Server


@contextlib.asynccontextmanager
async def https(files: TlsFiles, limits: Limits = LIMITS) -> AsyncIterator[Https]:
    """Serves while the block runs."""
    app = App(
        (Route("GET", "/health", health), Route("GET", "/socket", web_socket, is_stream=True)),
        [StrictTransport(60)],
    )
    sockets = listen("127.0.0.1", [0])
    tls = server_context(files)
    async with serving(app, sockets, limits, drain_seconds=0, grace_seconds=5, tls=tls) as server:
        yield Https(sockets[0].getsockname()[1], server)


def trusting(files: TlsFiles) -> ssl.SSLContext:
    """Returns the context of a client."""
    context = ssl.create_default_context(cafile=files.ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@contextlib.asynccontextmanager
async def connected(
    gateway: Https, context: ssl.SSLContext | None, host: str = "127.0.0.1"
) -> AsyncIterator[Connection]:
    """Opens a connection; without a context the bytes are sent as they are."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", gateway.port, ssl=context, server_hostname=context and host
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


@on_uvloop
async def test_clients_that_trust_the_certificate_are_served(authority: Authority) -> None:
    """Browsers could be refused, talk HTTP/2 to a gateway without it, or go back to HTTP later."""
    files = authority.issue("server")
    async with https(files) as gateway:
        async with httpx.AsyncClient(verify=trusting(files), trust_env=False) as client:
            response = await client.get(f"https://localhost:{gateway.port}/health")
        async with connected(gateway, trusting(files)) as connection:
            encrypted = connection.writer.get_extra_info("ssl_object")
            assert encrypted.selected_alpn_protocol() == "http/1.1"
    assert response.status_code == 200
    assert response.headers["strict-transport-security"] == "max-age=60"


def _old(files: TlsFiles) -> ssl.SSLContext:
    context = trusting(files)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@on_uvloop
async def test_a_wrong_certificate_or_version_gets_no_connection(
    authority: Authority, tmp_path: Path
) -> None:
    """A client could send its password to somebody else, or with encryption that is broken."""
    files = authority.issue("server")
    strange = Authority(tmp_path / "strange").issue("server")
    async with https(files) as gateway:
        for context, host, expected in (
            (trusting(strange), "localhost", "CERTIFICATE_VERIFY_FAILED"),
            (trusting(files), "shop.example", "Hostname mismatch"),
        ):
            with pytest.raises(ssl.SSLCertVerificationError, match=expected):
                async with connected(gateway, context, host):
                    pass
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            outdated = _old(files)
        with pytest.raises(ssl.SSLError):
            async with connected(gateway, outdated):
                pass
        async with connected(gateway, None) as connection:
            connection.send(HEALTH)
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP/" not in await connection.rest()


@on_uvloop
async def test_requests_do_not_pass_through_a_man_in_the_middle(
    authority: Authority, tmp_path: Path
) -> None:
    """Somebody in the network could read passwords and tokens, or answer in our place."""
    files, stranger = authority.issue("server"), Authority(tmp_path / "strange").issue("server")
    async with https(files) as gateway:
        connect = to_server(gateway.port, "http/1.1")
        async with listening_in(context_of(stranger, "http/1.1"), connect) as middleman:
            url, token = f"https://localhost:{middleman.port}/health", {"authorization": "secret"}
            async with httpx.AsyncClient(verify=trusting(files), trust_env=False) as client:
                with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await client.get(url, headers=token)
            assert bytes(middleman.heard) == b""
            # The control: whoever trusts him is heard.
            async with httpx.AsyncClient(verify=trusting(stranger), trust_env=False) as client:
                assert (await client.get(url, headers=token)).status_code == 200
            assert b"secret" in middleman.heard


@on_uvloop
async def test_new_connections_see_a_certificate_that_was_replaced(
    authority: Authority, tmp_path: Path
) -> None:
    """A renewed certificate could need a restart, or end the connections that are open."""
    files = authority.issue("server")
    before = trusting(files)
    async with https(files) as gateway, connected(gateway, before) as connection:
        replacement = Authority(tmp_path / "strange").issue("server")
        for path, new in zip(files.paths(), replacement.paths(), strict=True):
            path.write_bytes(new.read_bytes())
        async with connected(gateway, trusting(replacement)) as other:
            other.send(HEALTH)
            assert (await other.answer()).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(gateway, before):
                pass
        connection.send(HEALTH)
        assert (await connection.answer()).status == 200


@on_uvloop
async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(
    authority: Authority,
) -> None:
    """The first request of a fast client could be lost, as its connection is not ready yet."""
    files = authority.issue("server")
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting(files).wrap_bio(received, sent, server_hostname="localhost")
    async with https(files) as gateway, connected(gateway, None) as connection:
        while True:
            try:
                client.do_handshake()
            except ssl.SSLWantReadError:
                connection.send(sent.read())
                received.write(await connection.reader.read(65_536))
            else:
                break
        client.write(HEALTH)
        connection.send(sent.read())
        answer = b""
        while b"\r\n\r\n" not in answer:
            received.write(await connection.reader.read(65_536))
            with contextlib.suppress(ssl.SSLWantReadError):
                answer += client.read(65_536)
    assert answer.startswith(b"HTTP/1.1 200 ")


@on_uvloop
async def test_a_handshake_takes_a_slot_until_it_is_closed(authority: Authority) -> None:
    """Clients that never finish the handshake could take all connections."""
    files = authority.issue("server")
    few = replace(LIMITS, connections=1, spare_connections=0, head_seconds=0.5)
    async with https(files, few) as gateway, connected(gateway, None) as silent:
        # Another client takes the slot of the one that is silent.
        async with connected(gateway, trusting(files)) as connection:
            connection.send(HEALTH)
            assert (await connection.answer()).status == 200
            await closed(silent)
        async with connected(gateway, None) as too_slow:
            await closed(too_slow)


async def closed(connection: Connection) -> None:
    """Waits until the gateway has closed a connection."""
    with contextlib.suppress(ConnectionResetError):
        assert await connection.rest() == b""


@on_uvloop
async def test_a_refusal_is_readable_over_tls(authority: Authority) -> None:
    """A connection that cannot be closed by halves could fail instead of answering."""
    files = authority.issue("server")
    async with https(files) as gateway, connected(gateway, trusting(files)) as connection:
        connection.send(b"hello\r\n\r\n")
        answer = await connection.answer()
        assert answer.outcome == (400, "bad_request")
        assert await connection.rest() == b""


@on_uvloop
async def test_websockets_work_over_tls(authority: Authority) -> None:
    """A connection that changes its protocol could lose its encryption."""
    files = authority.issue("server")
    async with https(files) as gateway:
        url = f"wss://localhost:{gateway.port}/socket"
        async with connect(url, ssl=trusting(files), proxy=None) as opened:
            await opened.send("hello")
            assert await opened.recv() == "hello"


@on_uvloop
async def test_a_shutdown_serves_connections_that_shake_hands(authority: Authority) -> None:
    """A client that connects while the gateway stops could get no response."""
    files = authority.issue("server")
    async with https(files) as gateway:
        silent = socket.create_connection(("127.0.0.1", gateway.port))
        silent.setblocking(False)
        async with connected(gateway, trusting(files)) as connection:
            connection.send(HEALTH)
            assert (await connection.answer()).status == 200
            # The other connection was accepted before this one, and still shakes hands.
            gateway.server.should_exit = True
            loop = asyncio.get_running_loop()
            reader = asyncio.StreamReader()
            transport, _ = await loop.create_connection(
                lambda: asyncio.StreamReaderProtocol(reader),
                sock=silent,
                ssl=trusting(files),
                server_hostname="localhost",
            )
            transport.write(HEALTH)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            transport.abort()
