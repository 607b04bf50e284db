"""Responses that are streamed, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from gateway.http.app import App
from gateway.http.client_address import FORWARDED_FOR, ClientAddresses
from gateway.http.messages import Outlet, Request, Response
from gateway.http.middleware.stack import middleware_stack
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.routing import Route
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.listening import listen
from gateway.http.server.pipeline import Pipeline
from gateway.http.server.serialization import LAST_CHUNK
from gateway.http.server.server import Server, serving
from services.kit.rpc.errors import Unavailable
from tests.gateway.requests import request

GET = b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"
TIMEOUT_SECONDS = 20


class Stream:
    """A stream of given parts, which waits after them for its end unless it `ends`."""

    def __init__(self, *parts: bytes, ends: bool = True, is_chunked: bool = True) -> None:
        self.is_chunked = is_chunked
        self._parts = parts
        self._ends = ends
        self.asked = 0
        self.closed = asyncio.Event()

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""
        for part in self._parts:
            self.asked += 1
            await outlet.send_part(part)
        if not self._ends:
            await self.closed.wait()

    def close(self) -> None:
        """See BodyStream."""
        self.closed.set()


class BrokenStream(Stream):
    """A stream whose service fails after the parts."""

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""
        await super().pour(outlet)
        raise Unavailable


class Client:
    """A client that sends and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> str:
        """Reads the head of a response."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()

    async def part(self) -> bytes:
        """Reads a chunk."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """Reads until the server closes the connection."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self.reader.read()


@contextlib.asynccontextmanager
async def served(
    stream: Stream, sent: bytes = GET, limits: Limits = LIMITS
) -> AsyncIterator[tuple[Server, Client]]:
    """Serves a stream at /stream, and asks for it."""

    async def handle(_: Request) -> Response:
        return Response(200, ((b"content-type", b"text/event-stream"),), b"", stream)

    limit = StreamLimit(ClientAddresses((), FORWARDED_FOR), max_streams=1, address_streams=1)
    stack = middleware_stack(log_sample=0, slow_seconds=60, max_requests=1, streams=limit)
    route = Route("GET", "/stream", handle, media_type=b"text/event-stream", is_stream=True)
    sockets = listen("127.0.0.1", [0])
    port: int = sockets[0].getsockname()[1]
    app = App([route], stack)
    async with serving(app, sockets, limits, drain_seconds=0, grace_seconds=5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        yield server, Client(reader, writer)
        writer.close()


async def test_parts_arrive_as_they_are_written() -> None:
    """A client that waits for the end of the body never sees an event."""
    stream = Stream(b"one", b"", b"two", ends=False)
    async with served(stream) as (_, client):
        head = await client.head()
        assert head.startswith("http/1.1 200 ok\r\n")
        assert "transfer-encoding: chunked\r\n" in head
        assert "connection: close\r\n" in head
        assert "content-length" not in head
        assert [await client.part(), await client.part()] == [b"one", b"two"]
        assert not stream.closed.is_set()


async def test_the_end_of_a_stream_ends_the_response() -> None:
    """Without the last chunk clients take the body for incomplete."""
    stream = Stream(b"one")
    async with served(stream) as (_, client):
        await client.head()
        assert await client.rest() == b"3\r\none\r\n" + LAST_CHUNK
        assert stream.closed.is_set()


async def test_a_broken_stream_is_not_taken_for_a_whole_one() -> None:
    """A client would keep half of a file as the file."""
    async with served(BrokenStream(b"one")) as (_, client):
        await client.head()
        assert await client.rest() == b"3\r\none\r\n"


async def test_a_client_that_leaves_ends_its_stream() -> None:
    """A closed page would keep its RPC and its slot for hours."""
    stream = Stream(b"one", ends=False)
    async with served(stream) as (_, client):
        await client.head()
        client.writer.close()
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await stream.closed.wait()


async def test_a_stream_takes_no_connection_from_a_sale() -> None:
    """Watchers would keep every connection busy, and nobody could buy."""
    limits = replace(LIMITS, connections=1, address_connections=1, spare_connections=0)
    async with served(Stream(b"one", ends=False), limits=limits) as (server, client):
        await client.head()
        port = server.servers[0].sockets[0].getsockname()[1]
        other = Client(*await asyncio.open_connection("127.0.0.1", port))
        other.writer.write(GET.replace(b"/stream", b"/nowhere"))
        assert (await other.head()).startswith("http/1.1 404 ")
        other.writer.close()


async def test_a_shutdown_ends_streams_cleanly() -> None:
    """An endless stream would hold the process up until it is killed, and lose its last events."""
    stream = Stream(b"one", ends=False)
    async with served(stream) as (server, client):
        await client.head()
        assert await client.part() == b"one"
        for connection in list(server.server_state.connections):
            connection.shutdown()
        assert await client.rest() == LAST_CHUNK


class SlowTransport(asyncio.Transport):
    """A transport whose buffer is full after each write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.pipeline: Pipeline
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Notes the data."""
        self.written.append(bytes(data))
        self.pipeline.outlet.pause()

    def is_closing(self) -> bool:
        """Returns whether the pipeline closed it."""
        return self.is_closed

    def close(self) -> None:
        """Closes."""
        self.is_closed = True


async def test_a_stream_waits_for_a_slow_client() -> None:
    """The gateway would keep in memory all that one client does not read."""
    stream = Stream(b"one", b"two", b"three")

    async def handle(_: Request) -> Response:
        return Response(200, (), b"", stream)

    transport, tasks = SlowTransport(), set[asyncio.Task[None]]()
    transport.pipeline = Pipeline(App((), ()), transport, tasks, lambda: None, lambda: None)
    transport.pipeline.add(handle, request("GET", "/"), is_last=False)
    [task] = tasks
    for count in range(1, 6):  # the head, the parts, the last chunk
        await until_blocked(task)
        assert len(transport.written) == count
        assert stream.asked <= count
        transport.pipeline.outlet.resume()
    await task
    assert transport.written[-1] == LAST_CHUNK


async def until_blocked(task: asyncio.Task[None]) -> None:
    """Lets a task run until it waits for something that only the test does."""
    for _ in range(10):
        if not task.done():
            await asyncio.sleep(0)


async def test_http_1_0_gets_no_chunks() -> None:
    """A proxy that speaks HTTP/1.0 would pass the sizes of chunks on as if they were content."""
    async with served(Stream(b"one", b"two"), GET.replace(b"1.1", b"1.0")) as (_, client):
        assert "transfer-encoding" not in await client.head()
        assert await client.rest() == b"onetwo"


async def test_head_opens_no_body() -> None:
    """The client would take the body for the next response."""
    stream = Stream(b"one", ends=False)
    async with served(stream, GET.replace(b"GET", b"HEAD")) as (_, client):
        await client.head()
        assert await client.rest() == b""
        assert stream.closed.is_set()
