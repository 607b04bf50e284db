"""The limit on streams, and that they leave the requests alone."""

import asyncio
from ipaddress import ip_network

import pytest

from gateway.http.client_address import FORWARDED_FOR, ClientAddresses
from gateway.http.errors import RateLimited
from gateway.http.messages import Handler, Outlet, Request, Response
from gateway.http.middleware.capacity import Capacity
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.routing import Route
from services.kit.rpc.errors import Unavailable
from tests.gateway.requests import request

ALICE, BOB, CAROL = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class EmptyStream:
    """A stream without parts."""

    is_chunked = True

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""

    def close(self) -> None:
        """See BodyStream."""


async def stream(_: Request) -> Response:
    """Opens a stream."""
    return Response(200, (), b"", EmptyStream())


async def refuse(_: Request) -> Response:
    """Refuses to open one."""
    raise Unavailable


async def respond(_: Request) -> Response:
    """Responds as a whole."""
    return Response(200, (), b"")


def limited(handle: Handler) -> Handler:
    """Limits the streams of a handler to two, and to one of each address."""
    addresses = ClientAddresses([ip_network("10.0.0.0/8")], FORWARDED_FOR)
    route = Route("GET", "/", handle, is_stream=True)
    limit = StreamLimit(addresses, max_streams=2, address_streams=1)
    return limit.wrap(route, handle)


async def open_stream(handle: Handler, peer: str, forwarded_for: bytes = b"") -> Response:
    """Asks for a stream."""
    headers = {b"x-forwarded-for": forwarded_for} if forwarded_for else {}
    return await handle(request("GET", "/")._replace(peer=peer, headers=headers))


async def test_streams_are_limited_in_all() -> None:
    """Watchers would take all memory, and every connection from those who buy."""
    handle = limited(stream)
    await open_stream(handle, ALICE)
    await open_stream(handle, BOB)
    with pytest.raises(Unavailable):
        await open_stream(handle, CAROL)


async def test_one_address_does_not_take_all_streams() -> None:
    """One script would keep everybody else from watching."""
    handle = limited(stream)
    await open_stream(handle, ALICE)
    with pytest.raises(RateLimited) as refused:
        await open_stream(handle, ALICE)
    assert (b"retry-after", b"5") in refused.value.headers
    await open_stream(handle, BOB)


async def test_clients_of_a_proxy_have_a_limit_each() -> None:
    """All clients would share the few streams of the proxy's address."""
    handle = limited(stream)
    await open_stream(handle, "10.0.0.1", ALICE.encode())
    await open_stream(handle, "10.0.0.1", BOB.encode())


async def test_a_closed_stream_makes_room_once() -> None:
    """Slots that leak end all streaming; a slot that is freed twice ends the limit."""
    handle = limited(stream)
    first = (await open_stream(handle, ALICE)).stream
    await open_stream(handle, BOB)
    assert first is not None
    first.close()
    first.close()
    await open_stream(handle, ALICE)
    with pytest.raises(Unavailable):
        await open_stream(handle, CAROL)


@pytest.mark.parametrize("handle", [refuse, respond])
async def test_a_request_that_opened_no_stream_takes_no_room(handle: Handler) -> None:
    """A service that is down for a minute would use up the streams for good."""
    bounded = limited(handle)
    for _ in range(3):
        if handle is respond:
            await open_stream(bounded, ALICE)
        else:
            with pytest.raises(Unavailable):
                await open_stream(bounded, ALICE)


async def test_streams_are_not_counted_among_requests() -> None:
    """A crowd that comes back to watch would stop the sale until all have their first event."""
    opened = asyncio.Event()

    async def open_slowly(request: Request) -> Response:
        await opened.wait()
        return await stream(request)

    capacity = Capacity(1)
    limit = StreamLimit(ClientAddresses((), FORWARDED_FOR), max_streams=9, address_streams=9)
    watch = Route("GET", "/watch", open_slowly, is_stream=True)
    watching = capacity.wrap(watch, limit.wrap(watch, open_slowly))
    buying = capacity.wrap(Route("POST", "/buy", respond), respond)
    watchers = [asyncio.create_task(open_stream(watching, ALICE)) for _ in range(9)]
    await asyncio.sleep(0)
    assert (await open_stream(buying, ALICE)).status == 200
    opened.set()
    assert [response.status for response in await asyncio.gather(*watchers)] == [200] * 9
