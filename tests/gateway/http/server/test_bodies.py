"""Limits of bodies: each route has one, and all large bodies together have another."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import pytest

from gateway.http.app import App
from gateway.http.messages import Request, Response
from gateway.http.routing import Route
from gateway.http.server.connection import CONTINUE
from gateway.http.server.limits import LIMITS
from gateway.http.server.listening import listen
from gateway.http.server.server import serving
from tests.e2e.raw_http import Connection, connect

LARGE = 150_000
TIGHT = replace(LIMITS, large_bodies_bytes=2 * LARGE - 1)
"""Room for one large body, and not for two."""


@dataclass
class Uploads:
    """Two routes that answer how much was sent, once they may; one of them takes large bodies."""

    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: Request) -> Response:
        """Answers a request."""
        self.arrived.set()
        await self.may_answer.wait()
        return Response(200, (), b"%d" % len(request.body))


@pytest.fixture
async def uploads() -> AsyncIterator[Uploads]:
    """Serves the routes, which answer at once unless a test holds them back."""
    handle = Uploads()
    handle.may_answer.set()
    sockets = listen("127.0.0.1", [0])
    handle.port = sockets[0].getsockname()[1]
    routes = (
        Route("POST", "/large", handle, max_body_bytes=LARGE),
        Route("POST", "/small", handle),
    )
    async with serving(App(routes, ()), sockets, TIGHT, drain_seconds=0, grace_seconds=1):
        yield handle


def head(path: str, length: int, more: bytes = b"") -> bytes:
    """Makes the head of a request with a body."""
    announced = b"Content-Length: %d\r\n" % length
    return b"POST %b HTTP/1.1\r\nHost: a\r\n%b%b\r\n" % (path.encode(), announced, more)


async def upload(connection: Connection) -> int:
    """Sends a large body; returns the status."""
    connection.send(head("/large", LARGE) + b"x" * LARGE)
    return (await connection.answer()).status


async def test_a_route_takes_the_bodies_that_its_contract_allows(uploads: Uploads) -> None:
    """A plan of seats is larger than any reservation."""
    async with connect(uploads.port) as connection:
        for _ in range(3):
            assert await upload(connection) == 200
        chunk = b"%x\r\n%b\r\n" % (LARGE, b"x" * LARGE)
        chunked = b"POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.send(chunked + chunk + b"0\r\n\r\n")
        assert (await connection.answer()).body == b"%d" % LARGE
        connection.send(chunked + chunk + b"1\r\nx\r\n")
        assert (await connection.answer()).error == "body_too_large"


@pytest.mark.parametrize(("path", "length"), [("/small", LARGE), ("/large", LARGE + 1)])
@pytest.mark.parametrize("more", [b"", b"Expect: 100-continue\r\n"])
async def test_a_body_is_refused_before_it_is_sent(
    uploads: Uploads, path: str, length: int, more: bytes
) -> None:
    """A client would send megabytes only to be told that they are too many."""
    async with connect(uploads.port) as connection:
        connection.send(head(path, length, more))
        answer = await connection.answer()
    assert answer.outcome == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


async def test_a_client_that_waits_is_told_to_send_a_large_body(uploads: Uploads) -> None:
    """The limit of other routes would refuse it."""
    async with connect(uploads.port) as connection:
        connection.send(head("/large", LARGE, b"Expect: 100-continue\r\n"))
        assert await connection.reader.readuntil(b"\r\n\r\n") == CONTINUE
        connection.send(b"x" * LARGE)
        assert (await connection.answer()).body == b"%d" % LARGE


async def test_all_large_bodies_together_take_no_more_than_there_is(uploads: Uploads) -> None:
    """A few dozen uploads at once would end the process, and every sale with it."""
    async with connect(uploads.port) as first, connect(uploads.port) as second:
        first.send(head("/large", LARGE, b"Expect: 100-continue\r\n"))
        assert await first.reader.readuntil(b"\r\n\r\n") == CONTINUE
        second.send(head("/large", LARGE))
        assert (await second.answer()).error == "unavailable"
        async with connect(uploads.port) as third:
            third.send(head("/small", 1) + b"x")
            assert (await third.answer()).status == 200
        first.send(b"x" * LARGE)
        assert (await first.answer()).status == 200
        async with connect(uploads.port) as fourth:
            assert await upload(fourth) == 200


async def test_a_client_that_goes_away_frees_its_room(uploads: Uploads) -> None:
    """Room that is never freed would refuse every upload in the end."""
    async with connect(uploads.port) as connection:
        connection.send(head("/large", LARGE, b"Expect: 100-continue\r\n"))
        assert await connection.reader.readuntil(b"\r\n\r\n") == CONTINUE
    await until_uploaded(uploads)


async def test_a_body_has_its_room_for_as_long_as_it_is_worked_on(uploads: Uploads) -> None:
    """Clients that hang up would fill the memory with bodies that services still work on."""
    uploads.may_answer.clear()
    async with connect(uploads.port) as connection:
        connection.send(head("/large", LARGE) + b"x" * LARGE)
        await uploads.arrived.wait()
    async with connect(uploads.port) as other:
        other.send(head("/large", LARGE))
        assert (await other.answer()).error == "unavailable"
    uploads.may_answer.set()
    await until_uploaded(uploads)


async def until_uploaded(uploads: Uploads) -> None:
    """Uploads as soon as there is room; the server learns a little later that a client has gone."""
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(ConnectionError):
                async with connect(uploads.port) as connection:
                    if await upload(connection) == 200:
                        return
