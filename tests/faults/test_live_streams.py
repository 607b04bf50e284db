"""`kill -9` while clients watch seats over HTTP: each sees every change once, in its order.

PostgreSQL is among the victims: clients see nothing new until it is back, and then go on.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.cinema import open_cinema
from tests.e2e.client import new_user
from tests.e2e.raw_http import request
from tests.e2e.system import System
from tests.gateway.live.viewer import Viewer

SECONDS = 120
CLIENTS, BUYERS = 20, 4
ROOM = [{"row": f"{row}", "seats": 20} for row in range(5)]
PAUSE_SECONDS = 0.02
"""Between attempts to reach a process that was killed: there is no event to wait for."""


@pytest.fixture
def durable(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Returns a database whose commits survive a kill of its server, unlike other tests."""
    with cloned(postgres) as database:
        with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
            name = sql.Identifier(connection.info.dbname)
            keep = sql.SQL("ALTER DATABASE {} SET synchronous_commit = on")
            connection.execute(keep.format(name))
        yield database


@pytest.fixture
async def running(durable: Database, tmp_path: Path) -> AsyncIterator[System]:
    """Runs a whole Boxoffice, with two replicas of bookings and two gateways."""
    system = System(durable, tmp_path, replicas=2, gateways=2)
    await asyncio.to_thread(system.__enter__)
    try:
        yield system
    finally:
        await asyncio.to_thread(system.__exit__, None, None, None)


def new_screening(system: System) -> int:
    """Puts on a screening in a room of a hundred seats."""
    with open_cinema(system) as cinema:
        return cinema.screening(ROOM)


class Client(Viewer):
    """A client that connects again whenever its stream ends, and goes on after what it has."""

    async def watch(self, port: int, screening_id: int) -> None:
        """Watches until cancelled."""
        while True:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._read_stream(port, screening_id)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read_stream(self, port: int, screening_id: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        try:
            path = f"/api/events/{screening_id}/stream"
            headers = {"Last-Event-ID": f"{self.revision}"} if self.revision else {}
            writer.write(request("GET", path, headers=headers))
            head = await reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 200"):
                self.read(await reader.readuntil(b"\n\n"))
        finally:
            writer.close()


class Buyer:
    """Holds seats and releases them, one after the other, and does not care what is refused."""

    def __init__(self, http: httpx.AsyncClient, screening_id: int) -> None:
        self._http = http
        self._screening_id = screening_id
        self.held = 0

    async def go_on(self) -> None:
        """Goes on until cancelled."""
        for seat in itertools.cycle(range(1, 101)):
            with contextlib.suppress(httpx.TransportError):
                await self._hold_and_release(seat)

    async def _hold_and_release(self, seat: int) -> None:
        body = {"screening_id": self._screening_id, "seat_ids": [seat], "user_id": new_user()}
        answer = await self._http.post("/api/seat-reservations", json=body)
        if answer.status_code == 201:
            self.held += 1
            if seat % 3:
                await self._http.delete(f"/api/seat-reservations/{answer.json()['reservation_id']}")


async def until(condition: Callable[[], bool]) -> None:
    """Waits for something that clients or buyers have done."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - other tasks have no event for it
            await asyncio.sleep(PAUSE_SECONDS)


async def hold_more(buyers: list[Buyer], seats: int) -> None:
    """Waits until buyers have held so many more seats."""
    count = sum(buyer.held for buyer in buyers)
    await until(lambda: sum(buyer.held for buyer in buyers) >= count + seats)


async def kill_and_restart(system: System, postgres: EmbeddedPostgres, buyers: list[Buyer]) -> None:
    """Kills each process that a stream passes through, and PostgreSQL, in the middle of a rush."""
    for process in (system.bookings[0], system.gateways[0], system.bookings[1]):
        await hold_more(buyers, 50)
        await asyncio.to_thread(process.kill)
        await hold_more(buyers, 10)
        await asyncio.to_thread(process.start)
    await hold_more(buyers, 50)
    postgres.stop(force=True)
    # In this thread: a server ends with the thread that started it.
    postgres.start()
    await hold_more(buyers, 50)


Changes = Mapping[int, tuple[int, list[int]]]
"""By revision how many seats were taken, or freed if negative, and which ones."""


def changes_of(database: Database, screening_id: int) -> Changes:
    """Reads what happened to the seats of a screening."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT rev, seats, seat_ids FROM bookings.ledger"
            " WHERE event_id = %s AND seats <> 0 ORDER BY rev",
            [screening_id],
        )
        return {rev: (seats, seat_ids) for rev, seats, seat_ids in rows}


def seen(client: Client, changes: Changes) -> list[int]:
    """Lists the revisions that a client was shown; fails if it was shown something else."""
    first, *events = client.events
    revisions: list[int] = []
    last = first["revision"]
    for event in events:
        told = [rev for rev in changes if event["after_revision"] < rev <= event["revision"]]
        assert event["seat_ids"] == [seat for rev in told for seat in changes[rev][1]]
        assert {changes[rev][0] > 0 for rev in told} == {"status" in event}
        revisions += [rev for rev in told if rev > last]
        last = event["revision"]
    return revisions


async def test_every_client_sees_every_change_once(
    running: System, postgres: EmbeddedPostgres
) -> None:
    """A page would show seats as free that are taken, or end with other seats than the map has."""
    screening_id = await asyncio.to_thread(new_screening, running)
    clients = [Client() for _ in range(CLIENTS)]
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.ports[1]}", timeout=10) as http,
        asyncio.TaskGroup() as group,
    ):
        watching = [
            group.create_task(client.watch(running.ports[number % 2], screening_id))
            for number, client in enumerate(clients)
        ]
        await until(lambda: all(client.statuses for client in clients))
        buyers = [Buyer(http, screening_id) for _ in range(BUYERS)]
        buying = [group.create_task(buyer.go_on()) for buyer in buyers]
        await kill_and_restart(running, postgres, buyers)
        for task in buying:
            task.cancel()
        await asyncio.wait(buying)
        await asyncio.to_thread(running.wait_until_ready)
        found = await http.get(f"/api/screenings/{screening_id}/seats", params={"sparse": "true"})
        seats = found.json()
        await until(lambda: all(client.revision >= seats["revision"] for client in clients))
        for task in watching:
            task.cancel()
    changes = changes_of(running.database, screening_id)
    wanted = [[rev for rev in changes if rev > each.events[0]["revision"]] for each in clients]
    shown = [seen(client, changes) for client in clients]
    print(f"{sum(map(len, shown))} of {sum(map(len, wanted))} revisions, each once")
    assert shown == wanted
    for client in clients:
        assert client.statuses == 1, "it was not told what it had missed"
        assert sorted(client.taken) == seats["held"]
