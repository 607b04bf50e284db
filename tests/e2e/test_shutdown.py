import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import Database, cloned
from tests.e2e.client import create_event, new_key, new_user, open_client
from tests.e2e.raw_http import Answer, Connection, connect, request, reservation
from tests.e2e.steady_load import CLIENTS, Load, replace
from tests.e2e.system import System
from tests.services.bookings.conftest import drift

BUYERS = 32
PATIENCE_SECONDS = 60
BEFORE, AFTER = 200, 200


@pytest.fixture(scope="module")
def stoppable(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs two replicas of everything, for tests that stop processes."""
    folder = tmp_path_factory.mktemp("stoppable")
    with (
        cloned(postgres) as database,
        System(
            database,
            folder,
            replicas=2,
            gateways=2,
            other_replicas=2,
            GATEWAY_DEADLINE_SECONDS="60",
            GATEWAY_DRAIN_SECONDS="1",
            GATEWAY_GRACE_SECONDS="60",
        ) as running,
    ):
        yield running


@pytest.fixture
def system(stoppable: System) -> System:
    """Returns that system, with what the test before has stopped started again."""
    for process in stoppable.processes:
        if not process.is_running:
            process.start()
    stoppable.wait_until_ready()
    return stoppable


@dataclass
class Sale:
    """Buyers who reserve one seat after another, and the responses to them."""

    port: int
    event_id: int
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    refused: int = 0
    is_over: bool = False
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, work: Callable[["Sale"], Awaitable[None]]) -> None:
        """Buys while the work goes on."""
        async with asyncio.TaskGroup() as group:
            for _ in range(BUYERS):
                group.create_task(self._buy())
            try:
                await work(self)
            finally:
                self.is_over = True

    async def reach(self, count: int) -> None:
        """Waits until so many requests were answered."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.answers) < count:
                await self.progress.wait()
                self.progress.clear()

    async def _buy(self) -> None:
        while not self.is_over:
            try:
                async with connect(self.port) as connection:
                    await self._buy_on(connection)
            except ConnectionError:  # nobody took the connection
                self.refused += 1
                await asyncio.sleep(0.01)  # as a client waits before it tries again

    async def _buy_on(self, connection: Connection) -> None:
        """Buys until the connection ends; a request that is cut off on it is lost."""
        closes = False
        while not (self.is_over or closes):
            user = new_user()
            try:
                answer = await connection.ask(reservation(self.event_id, user, new_key()))
            except (ConnectionError, asyncio.IncompleteReadError):
                self.lost.append(user)
                return
            self.answers.append((user, answer))
            self.progress.set()
            closes = answer.headers.get("connection") == "close"


def new_event(system: System) -> int:
    """Creates an event with seats for everybody."""
    with open_client(system.url) as client:
        return int(create_event(client, 1_000_000)["id"])


def booked(database: Database, event_id: int) -> list[str]:
    """Lists the user of each booking."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT user_id FROM bookings.bookings WHERE event_id = %s", [event_id]
        )
        return sorted(user for (user,) in rows.fetchall())


def check_books(system: System, sale: Sale) -> None:
    """Fails unless each acknowledged seat is booked once, and nothing else is."""
    acknowledged = sorted(user for user, answer in sale.answers if answer.status == 201)
    unknown = [user for user, answer in sale.answers if answer.status == 504]
    found = booked(system.database, sale.event_id)
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert set(found) <= {*acknowledged, *unknown}
    assert drift(system.database) == []


async def test_a_stopping_gateway_answers_all_accepted_requests(system: System) -> None:
    """A deployment could cut off requests in flight."""
    sale = Sale(system.port, new_event(system))

    async def stop(sale: Sale) -> None:
        await sale.reach(BEFORE)
        system.gateway.terminate()
        assert await asyncio.to_thread(system.gateway.ended) == 0

    await sale.run(stop)
    assert sale.lost == []
    assert {answer.outcome for _, answer in sale.answers} == {(201, "")}
    assert sale.refused > 0
    check_books(system, sale)


async def test_a_rolling_restart_fails_no_request(system: System) -> None:
    """A deployment could fail requests of clients that keep their connections, or lose seats."""
    load = await asyncio.to_thread(Load.on, system)

    async def roll() -> None:
        for number in range(2):
            # Longer than callers wait before they connect to the replica of the last turn.
            await load.go_on()
            kinds = system.kinds.items()
            await asyncio.gather(*(replace(kind, replicas[number]) for kind, replicas in kinds))
        await load.go_on(CLIENTS)

    await load.run(roll)
    print(load.summary())
    assert load.failures == []
    load.check_books(system.database)
    assert drift(system.database) == []


async def test_restarting_bookings_loses_no_acknowledged_seat(system: System) -> None:
    """A restart of all replicas at once could lose an acknowledged seat."""
    sale = Sale(system.port, new_event(system))

    async def stop_and_start(sale: Sale) -> None:
        await sale.reach(BEFORE)
        await asyncio.to_thread(system.stop, *system.bookings)
        for replica in system.bookings:
            replica.start()
        await asyncio.to_thread(system.wait_until_ready)
        await sale.reach(len(sale.answers) + AFTER)

    await sale.run(stop_and_start)
    assert sale.lost == []
    allowed = {(201, ""), (503, "unavailable"), (504, "outcome_unknown")}
    assert {answer.outcome for _, answer in sale.answers} <= allowed
    assert sale.answers[-1][1].status == 201
    check_books(system, sale)


async def test_stopping_events_answers_all_accepted_requests(system: System) -> None:
    """An acknowledged creation could be lost, or be made twice."""
    created: list[tuple[str, Answer]] = []
    enough, is_over = asyncio.Event(), asyncio.Event()

    async def create() -> None:
        async with connect(system.port) as connection:
            while not is_over.is_set():
                name = new_user()
                body = {"name": name, "total_seats": 1}
                created.append((name, await connection.ask(request("POST", "/events", body))))
                if len(created) == BEFORE // 4:
                    enough.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(create())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await enough.wait()
        await asyncio.to_thread(system.stop, *system.all_events)
        is_over.set()
    acknowledged = {name for name, answer in created if answer.status == 201}
    unknown = {name for name, answer in created if answer.status == 504}
    assert {answer.status for _, answer in created} <= {201, 503, 504}
    asked = [name for name, _ in created]
    with psycopg.connect(system.database.owner_dsn) as connection:
        rows = connection.execute("SELECT name FROM events.events WHERE name = ANY(%s)", [asked])
        stored = [name for (name,) in rows.fetchall()]
    assert len(stored) == len(set(stored))
    assert acknowledged <= set(stored) <= acknowledged | unknown


def test_a_second_signal_does_not_interrupt_the_stop(system: System) -> None:
    """A second SIGTERM could interrupt the orderly end."""
    for process in (system.gateway, system.events, *system.bookings):
        process.terminate()
        process.terminate()
        assert process.ended() == 0
