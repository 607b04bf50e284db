import asyncio
import contextlib

import aiohttp
import httpx
import socketio

from tests.e2e.cinema import open_cinema
from tests.e2e.client import new_user
from tests.e2e.conftest import Start
from tests.e2e.system import System
from tests.gateway.live.viewer import Viewer

SECONDS = 30
SERVICE_RESTART = 1012
TRANSPORTS = (["websocket"], ["polling"])


async def watching(
    stack: contextlib.AsyncExitStack, system: System, screening_id: int, transports: list[str]
) -> socketio.AsyncSimpleClient:
    """Lets a client of Socket.IO join a screening."""
    session = await stack.enter_async_context(aiohttp.ClientSession())
    client = socketio.AsyncSimpleClient(http_session=session, reconnection=False)
    stack.push_async_callback(client.disconnect)
    await client.connect(system.url, transports=transports, namespace="/seats")
    assert "error" not in await client.call("join_screening", screening_id, timeout=SECONDS)
    name, _ = await client.receive(timeout=SECONDS)
    assert name == "seat_status_update"
    return client


async def until_closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """Reads a WebSocket to its end; returns the code of its end."""
    async for _ in socket:
        pass
    return socket.close_code


async def show_a_reservation(system: System, screening_id: int) -> None:
    """Reserves a seat while clients watch, and stops the gateway."""
    async with contextlib.AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=system.url))
        path = f"/api/events/{screening_id}/stream"
        stream = await stack.enter_async_context(http.stream("GET", path, timeout=SECONDS))
        viewer, blocks = Viewer(), stream.aiter_bytes()
        while not viewer.statuses:
            viewer.read(await anext(blocks))
        clients = [await watching(stack, system, screening_id, each) for each in TRANSPORTS]
        body = {"screening_id": screening_id, "user_id": new_user(), "seat_ids": [3]}
        (await http.post("/api/seat-reservations", json=body)).raise_for_status()
        while not viewer.taken:
            viewer.read(await anext(blocks))
        assert viewer.taken == {3: "HELD"}
        for client in clients:
            name, change = await client.receive(timeout=SECONDS)
            assert (name, change) == ("seat_reserved", viewer.events[-1])
        session = await stack.enter_async_context(aiohttp.ClientSession(system.url))
        # It does not leave by itself when it is told to, as clients of Socket.IO do.
        socket = await session.ws_connect("/socket.io/?EIO=4&transport=websocket")
        stopping = asyncio.to_thread(system.stop, system.gateway)
        waiting = [client.client.wait() for client in clients]
        async with asyncio.timeout(SECONDS):
            statuses, code, *_ = await asyncio.gather(stopping, until_closed(socket), *waiting)
            rest = [block async for block in blocks]
        assert set(statuses.values()) == {0}
        assert code == SERVICE_RESTART
        assert not b"".join(rest).strip(), "its stream ended with something else than its end"


def test_a_reservation_is_seen_in_every_way(start: Start) -> None:
    """Over SSE, a WebSocket and long polling; none of them may hold up a gateway that stops."""
    system = start(GATEWAY_GRACE_SECONDS="600")
    with open_cinema(system) as cinema:
        screening_id = cinema.screening()
    asyncio.run(show_a_reservation(system, screening_id))
