"""A man in the middle: ends TLS with a certificate of his own, and passes on what he hears."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from services.kit.tls.files import TlsFiles

Connection: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect: TypeAlias = Callable[[], Awaitable[Connection]]


@dataclass(slots=True)
class Middleman:
    """Where he listens, and what clients told him."""

    port: int = 0
    heard: bytearray = field(default_factory=bytearray)


def context_of(files: TlsFiles, *protocols: str) -> ssl.SSLContext:
    """Returns the context of a server that shows a certificate and speaks some protocols."""
    assert files.certificate is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols(protocols)
    return context


def to_server(port: int, protocol: str, files: TlsFiles | None = None) -> Connect:
    """Returns what connects him to the real server on this machine; he may show a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if files is not None and files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key)
    context.set_alpn_protocols([protocol])
    return lambda: asyncio.open_connection("127.0.0.1", port, ssl=context)


@contextlib.asynccontextmanager
async def listening_in(
    context: ssl.SSLContext, connect: Connect, *, asks_first: bool = False
) -> AsyncIterator[Middleman]:
    """Passes connections on while the block runs.

    With `asks_first` clients ask for TLS by 8 bytes, and wait for an S, as those of PostgreSQL do.
    """
    middleman = Middleman()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if asks_first:
            await reader.readexactly(8)
            writer.write(b"S")
        try:
            await writer.start_tls(context)
        except OSError:  # the client has refused him
            writer.transport.abort()
            return
        await _pass_on((reader, writer), await connect(), middleman)

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(accept(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(start, "127.0.0.1", 0)
    middleman.port = server.sockets[0].getsockname()[1]
    try:
        yield middleman
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(client: Connection, server: Connection, middleman: Middleman) -> None:
    """Passes bytes on in both directions until one side closes."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(client[0], server[1], middleman.heard))
            group.create_task(_copy(server[0], client[1], bytearray()))
    finally:
        for _, writer in (client, server):
            writer.transport.abort()


async def _copy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bytearray
) -> None:
    with contextlib.suppress(ConnectionError):
        while sent := await reader.read(65536):
            heard += sent
            writer.write(sent)
    writer.transport.abort()
