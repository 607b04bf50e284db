import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import pytest_asyncio
import socketio
from socketio.exceptions import ConnectionError as RefusedError

from gateway.http.server.limits import LIMITS
from gateway.live.pace import PACE
from gateway.sockets.client import MOST_JOINED, MOST_MESSAGES
from gateway.sockets.routes import SCRIPT
from services.bookings.errors import EventNotFound
from tests.e2e.raw_http import connect, request
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.live.ledger import EVENT_ID, HELD, Ledger, ledger_server
from tests.gateway.live.queues.people import People, token

SECONDS = 20
TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
DIGEST, _ = Path(f"{SCRIPT}.sha256").read_text(encoding="ascii").split()
WEB_SOCKET = request("GET", "/socket.io/?EIO=4&transport=websocket", headers=HANDSHAKE)


@pytest_asyncio.fixture
async def ledger() -> Ledger:
    """Returns a ledger with some changes."""
    made = Ledger()
    await made.hold_and_free(3)
    return made


@contextlib.asynccontextmanager
async def gateway_of(
    ledger: Ledger, people: People | None = None, /, **named: Any
) -> AsyncIterator[Gateway]:
    """Runs a gateway in front of a ledger, and of a queue if there is one."""
    pace = replace(PACE, linger_seconds=0, queue_seconds=0.02, presence_seconds=0.05)
    async with (
        ledger_server(ledger, people) as target,
        run_gateway(target, LIMITS, pace, **named) as ran,
    ):
        yield ran


class Client:
    """A client of Socket.IO."""

    def __init__(self, simple: socketio.AsyncSimpleClient) -> None:
        self._simple = simple

    async def ask(self, event: str, data: object) -> Any:
        """Sends an event, and waits for its acknowledgement."""
        return await self._simple.call(event, data, timeout=SECONDS)

    async def send(self, event: str, data: object) -> None:
        """Sends an event."""
        await self._simple.emit(event, data)

    async def next(self) -> tuple[str, Any]:
        """Waits for an event."""
        name, data = await self._simple.receive(timeout=SECONDS)
        return name, data

    async def until_disconnected(self) -> None:
        """Waits until the server ends the connection."""
        async with asyncio.timeout(SECONDS):
            await self._simple.client.wait()


@contextlib.asynccontextmanager
async def client_of(
    gateway: Gateway,
    transport: str = "websocket",
    namespace: str = "/",
    auth: dict[str, str] | None = None,
) -> AsyncIterator[Client]:
    """Connects a client."""
    async with (
        aiohttp.ClientSession() as session,
        socketio.AsyncSimpleClient(reconnection=False, http_session=session) as simple,
    ):
        await simple.connect(
            gateway.url, transports=TRANSPORTS[transport], namespace=namespace, auth=auth
        )
        yield Client(simple)


@pytest.mark.parametrize("namespace", ["/", "/seats"])
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_watches_a_screening(ledger: Ledger, transport: str, namespace: str) -> None:
    """First all seats, then each change after them, until it leaves; over every transport."""
    async with gateway_of(ledger) as gateway, client_of(gateway, transport, namespace) as client:
        joined = await client.ask("join_screening", {"screening_id": EVENT_ID})
        assert joined == {"screening_id": EVENT_ID, "revision": 3}
        name, status = await client.next()
        assert (name, status["revision"], status["left"]) == ("seat_status_update", 3, 15)
        await ledger.add(HELD, 5)
        name, change = await client.next()
        assert name == "seat_reserved"
        assert (change["after_revision"], change["seat_ids"]) == (3, [5])
        assert await client.ask("leave_screening", EVENT_ID) == {"screening_id": EVENT_ID}
        await ledger.add(HELD, 6)
        await client.send("join_screening", "x")
        assert (await client.next())[0] == "error", "it still watches"
        await ledger.wait_for_watches(0)


@pytest.mark.parametrize("sent", [None, "x", 0, -1, 1.5, True, 2**63, [], {"screening_id": "1"}])
async def test_what_names_no_screening_is_refused(ledger: Ledger, sent: object) -> None:
    """A defect in a page must be visible to its author, with and without an acknowledgement."""
    refused = {"error": "validation_error", "screening_id": None}
    async with gateway_of(ledger) as gateway, client_of(gateway) as client:
        assert await client.ask("join_screening", sent) == refused
        await client.send("join_screening", sent)
        assert await client.next() == ("error", refused)


async def test_an_event_that_is_not_there_is_refused(ledger: Ledger) -> None:
    """The client would wait for ever, also where the event vanishes later."""
    refused = {"error": "event_not_found", "screening_id": EVENT_ID}
    async with gateway_of(ledger) as gateway, client_of(gateway) as client:
        await client.ask("join_screening", EVENT_ID)
        await client.next()
        ledger.refusal = EventNotFound()
        await ledger.break_watches()
        assert await client.next() == ("error", refused)
        assert await client.ask("join_screening", EVENT_ID) == refused


async def test_a_bad_token_is_refused(ledger: Ledger) -> None:
    """A page would believe that it is signed in."""
    found: list[object] = []
    client = socketio.AsyncClient(reconnection=False)
    client.on("connect_error", found.append)
    async with gateway_of(ledger) as gateway:
        with pytest.raises(RefusedError):
            await client.connect(gateway.url, auth={"token": "made-up"})
        await client.disconnect()
    assert found == [{"message": "invalid_token"}]


@pytest.mark.parametrize(("transport", "namespace"), [("websocket", "/seats"), ("polling", "/")])
async def test_a_client_is_told_its_position(
    ledger: Ledger, transport: str, namespace: str
) -> None:
    """Who waits would have to ask again and again, and its socket be no sign of life."""
    people = People(2)
    async with gateway_of(ledger, people) as gateway:
        async with client_of(gateway, transport, namespace) as client:
            answer = await client.ask("join_queue", {"queue_token": token(2)})
            assert answer == {"screening_id": EVENT_ID}
            name, update = await client.next()
            assert (name, update["screening_id"], update["position"]) == (
                "queue_update",
                EVENT_ID,
                2,
            )
            await people.admit(1)
            assert (await client.next())[1]["position"] == 1
            await people.until_reported(2)
            await people.forget(2)
            ended = {"error": "queue_entry_not_found", "screening_id": EVENT_ID}
            assert await client.next() == ("error", ended)
            assert "error" not in await client.ask("join_queue", token(1))
        await people.until(lambda: not people.watches)


async def test_what_is_no_token_of_a_queue_is_refused(ledger: Ledger) -> None:
    """A page would wait for a turn that never comes."""
    refused: dict[str, list[object]] = {
        "validation_error": [None, {"queue_token": 7}, {"queue_token": "a b"}],
        "queue_entry_not_found": ["no-number", f"{2**63}.x", f"{EVENT_ID}.unknown"],
    }
    async with gateway_of(ledger, People(1)) as gateway, client_of(gateway) as client:
        for error, tokens in refused.items():
            for sent in tokens:
                assert (await client.ask("join_queue", sent))["error"] == error


async def test_only_two_namespaces_exist(ledger: Ledger) -> None:
    """A wrong name would look like a screening where nothing happens."""
    async with gateway_of(ledger) as gateway:
        with pytest.raises(RefusedError):
            async with client_of(gateway, namespace="/nowhere"):
                pass


async def test_a_client_joins_so_many_screenings_at_most(ledger: Ledger) -> None:
    """One client would have a thousand events followed."""
    async with gateway_of(ledger) as gateway, client_of(gateway) as client:
        for number in range(1, MOST_JOINED + 1):
            assert "error" not in await client.ask("join_screening", number)
        refused = await client.ask("join_screening", MOST_JOINED + 1)
        assert refused["error"] == "rate_limited"
        assert "error" not in await client.ask("join_screening", 1)


async def test_a_client_that_sends_too_much_is_disconnected(ledger: Ledger) -> None:
    """Messages pass no other limit: each would cost a stream from bookings."""
    async with gateway_of(ledger) as gateway, client_of(gateway) as client:
        for _ in range(MOST_MESSAGES + 1):
            await client.send("anything", None)
        await client.until_disconnected()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_message_that_is_too_large_ends_its_client(ledger: Ledger, transport: str) -> None:
    """Each would take memory, and time to parse."""
    async with gateway_of(ledger) as gateway, client_of(gateway, transport) as client:
        await client.send("join_screening", "x" * 20_000)
        await client.until_disconnected()


async def test_web_sockets_count_as_streams(ledger: Ledger) -> None:
    """They would take every connection from those who buy."""
    async with gateway_of(ledger, max_streams=1) as gateway:
        async with client_of(gateway):
            with pytest.raises(RefusedError):
                async with client_of(gateway):
                    pass
        async with client_of(gateway) as client:
            await client.ask("join_screening", EVENT_ID)


async def test_new_clients_count_for_their_address(ledger: Ledger) -> None:
    """Connecting again and again would be free."""
    limits = {"rate_limits": True, "address_requests_per_minute": 1}
    async with gateway_of(ledger, **limits) as gateway, client_of(gateway) as client:
        await client.ask("join_screening", EVENT_ID)
        with pytest.raises(RefusedError):
            async with client_of(gateway):
                pass


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_gateway_that_stops_sends_its_clients_away(ledger: Ledger, transport: str) -> None:
    """They would hold the process up, and not know that they should connect elsewhere."""
    async with gateway_of(ledger) as gateway, client_of(gateway, transport) as client:
        await client.ask("join_screening", EVENT_ID)
        await gateway.sockets.aclose()
        await client.until_disconnected()
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            answer = await http.get("/socket.io/?EIO=4&transport=polling")
            assert answer.status_code == 503


def has_leftovers(gateway: Gateway) -> bool:
    """Returns whether a connection or an event is still there."""
    return bool(gateway.server.server_state.connections or gateway.hub.seats._tasks)


async def test_clients_that_leave_leave_nothing(ledger: Ledger) -> None:
    """Watches, sockets and slots of pages that were closed would add up."""
    async with gateway_of(ledger) as gateway:
        for transport in [*TRANSPORTS] * 5:
            async with client_of(gateway, transport) as client:
                await client.ask("join_screening", EVENT_ID)
        await ledger.wait_for_watches(0)
        async with asyncio.timeout(SECONDS):
            while has_leftovers(gateway):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0)


async def test_bytes_behind_a_handshake_are_not_taken_for_http(ledger: Ledger) -> None:
    """Who sends too early loses its connection, and nothing else happens."""
    async with gateway_of(ledger) as gateway:
        for behind in (b"nonsense\r\n\r\n", request("GET", "/health"), b"\xff" * 70_000):
            async with connect(gateway.port) as connection:
                connection.send(WEB_SOCKET + behind)
                head = (await connection.reader.readuntil(b"\r\n\r\n")).decode()
                assert head.startswith("HTTP/1.1 101 ")
        async with client_of(gateway) as client:
            await client.ask("join_screening", EVENT_ID)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/socket.io/?EIO=3&transport=polling", 400),
        ("/socket.io/?EIO=4&transport=telepathy", 400),
        ("/socket.io/?EIO=4&transport=polling&sid=unknown", 400),
        ("/socket.io/?EIO=4&transport=websocket", 400),
    ],
)
async def test_what_is_no_engine_io_is_refused(ledger: Ledger, path: str, status: int) -> None:
    """In the words of Engine.IO, which its clients understand."""
    async with gateway_of(ledger) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        assert (await http.get(path)).status_code == status


async def test_pages_of_any_origin_may_connect(ledger: Ledger) -> None:
    """There are no cookies to steal; where origins are configured, only those may."""
    path, origin = "/socket.io/?EIO=4&transport=polling", {"Origin": "https://shop.example"}
    for named, allowed in (({}, origin["Origin"]), ({"cors_origins": "https://a.example"}, None)):
        async with (
            gateway_of(ledger, **named) as gateway,
            httpx.AsyncClient(base_url=gateway.url) as http,
        ):
            answer = await http.get(path, headers=origin)
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers


async def test_the_script_of_the_client_is_served(ledger: Ledger) -> None:
    """As by the server of Node; what is served is the file of the release, unchanged."""
    async with gateway_of(ledger) as gateway, httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.get("/socket.io/socket.io.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert hashlib.sha256(answer.content).hexdigest() == DIGEST
