import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest_asyncio

from gateway.http.server.limits import LIMITS
from gateway.live.pace import PACE
from services.kit.rpc.errors import Unavailable
from tests.gateway.conftest import Gateway, run_gateway
from tests.gateway.live.ledger import EVENT_ID, HELD, Ledger, ledger_server
from tests.gateway.live.queues.people import People, token

SECONDS = 20
PATH = f"/api/events/{EVENT_ID}/stream"
QUICK = replace(PACE, linger_seconds=0, queue_seconds=0.02, presence_seconds=0.05)
EVENT = re.compile(r"event: (\w+)\n(id: \d+\n)?data: (.+)")


class Stream:
    """The events of one client."""

    def __init__(self, blocks: AsyncIterator[str]) -> None:
        self._lines = blocks
        self.names: list[str] = []

    async def update(self) -> dict[str, Any]:
        """Reads until the next `queue_update`."""
        async with asyncio.timeout(SECONDS):
            while True:
                name, has_id, data = await self._next()
                self.names.append(name)
                if name == "queue_update":
                    assert not has_id, "a browser would come back with it"
                    found: dict[str, Any] = orjson.loads(data)
                    return found
                assert has_id

    async def end(self) -> None:
        """Reads until the stream ends."""
        async with asyncio.timeout(SECONDS):
            async for _ in self._lines:
                pass

    async def _next(self) -> tuple[str, bool, str]:
        block: list[str] = []
        async for line in self._lines:
            if line:
                block.append(line)
            elif found := EVENT.fullmatch("\n".join(block)):
                return found[1], bool(found[2]), found[3]
            else:
                block = []
        raise AssertionError("the stream has ended")


@pytest_asyncio.fixture
async def ledger() -> Ledger:
    """Returns a ledger with some changes."""
    made = Ledger()
    await made.hold_and_free(3)
    return made


@contextlib.asynccontextmanager
async def gateway_of(ledger: Ledger, people: People) -> AsyncIterator[Gateway]:
    """Runs a gateway in front of a ledger and a queue."""
    async with (
        ledger_server(ledger, people) as target,
        run_gateway(target, LIMITS, QUICK) as gateway,
    ):
        yield gateway


@contextlib.asynccontextmanager
async def streaming(gateway: Gateway, queue_token: str) -> AsyncIterator[Stream]:
    """Asks for a stream with a token."""
    async with (
        httpx.AsyncClient(base_url=gateway.url, timeout=SECONDS) as client,
        client.stream("GET", PATH, params={"queue_token": queue_token}) as response,
    ):
        assert response.status_code == 200
        yield Stream(response.aiter_lines())


async def test_holders_are_told_their_positions_until_it_is_their_turn(ledger: Ledger) -> None:
    """People would have to ask again and again, or see the places of others."""
    people = People(3)
    async with (
        gateway_of(ledger, people) as gateway,
        streaming(gateway, token(1)) as first,
        streaming(gateway, token(3)) as third,
    ):
        assert [(await each.update())["position"] for each in (first, third)] == [1, 3]
        await people.admit(1)
        admitted = await first.update()
        assert (admitted["state"], admitted["position"]) == ("ADMITTED", 0)
        assert (await third.update())["position"] == 2
        assert people.watches == 1, "a queue is followed once for all clients"
        await ledger.add(HELD, 5)
        await people.admit(2)
        assert (await third.update())["position"] == 1
        assert set(third.names) == {"seat_status_update", "seat_reserved", "queue_update"}
        assert first.names[0] == "seat_status_update"


async def test_an_open_stream_is_a_sign_of_life(ledger: Ledger) -> None:
    """Who waits on an open page would lose the place; or who closed it would keep it."""
    people = People(2)
    async with gateway_of(ledger, people) as gateway:
        async with streaming(gateway, token(1)) as present:
            async with streaming(gateway, token(2)) as leaving:
                await present.update()
                await leaving.update()
                await people.until_reported(1, 2)
                people.refusal = Unavailable()
                await people.until_reported(1, 2)
                people.refusal = None
                await people.until_reported(1, 2)
            async with asyncio.timeout(SECONDS):
                await people.until_reported(1)
                while token(2) in people.reported:
                    await people.until_reported(1)
        await people.until(lambda: not people.watches)
        assert gateway.hub.queues._tasks == {}


async def test_a_token_that_opens_no_stream_is_refused(ledger: Ledger) -> None:
    """A page would wait for a turn that never comes."""
    people = People(1)
    async with (
        gateway_of(ledger, people) as gateway,
        httpx.AsyncClient(base_url=gateway.url) as client,
    ):
        unknown = await client.get(PATH, params={"queue_token": "7.unknown"})
        assert (unknown.status_code, unknown.json()) == (404, {"error": "queue_entry_not_found"})
        malformed = await client.get(PATH, params={"queue_token": "a b"})
        assert malformed.status_code == 422
        assert malformed.json()["details"][0]["path"] == "queue_token"
        people.is_on = False
        await people.until(lambda: not people.watches)
        without = await client.get(PATH, params={"queue_token": token(1)})
        assert (without.status_code, without.json()) == (404, {"error": "queue_entry_not_found"})
        people.refusal, people.is_on = Unavailable(), True
        down = await client.get(PATH, params={"queue_token": token(1)})
        assert (down.status_code, down.json()) == (503, {"error": "unavailable"})
        await ledger.wait_for_watches(0)


async def test_a_stream_ends_when_its_token_is_replaced(ledger: Ledger) -> None:
    """Who joins again in another window would see an old position in this one for ever."""
    people = People(1)
    async with gateway_of(ledger, people) as gateway, streaming(gateway, token(1)) as stream:
        await stream.update()
        await people.forget(1)
        await stream.end()
