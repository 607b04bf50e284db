"""A small load of all kinds of requests, from HTTP and gRPC clients that keep their connections."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import grpc
import psycopg

from boxoffice import client as boxoffice
from boxoffice.accounts.v1 import accounts_pb2, accounts_pb2_grpc
from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from boxoffice.events.v1 import events_pb2, events_pb2_grpc
from tests.conftest import Database
from tests.e2e.accounts import add_accounts
from tests.e2e.cinema import PRICES, open_cinema
from tests.e2e.client import create_event, new_key, new_user, open_client
from tests.e2e.kept_connection import KeptConnection
from tests.e2e.raw_http import Answer, request, reservation
from tests.e2e.system import System, until
from tests.processes import Process

CLIENTS = 12
ENOUGH = 160
SEATS = 100_000
ROWS = [{"row": name, "seats": 500, "type": "REGULAR"} for name in "ABCDEF"]
PAUSE_SECONDS = 0.15
PATIENCE_SECONDS = 60

SERVED = {
    "accounts": "AccountsService/",
    "bookings": "BookingsService/",
    "events": "EventsService/",
    "gateway": '"status": 201',
}
"""What each kind of process logs when it has served a client."""


@dataclass
class Load:
    """What clients ask a system for, and what they get.

    Each client has one of `own_events`, whose seats it changes.
    """

    ports: Sequence[int]
    targets: Mapping[str, str]
    token: str
    event_id: int
    screening_id: int
    own_events: Sequence[int]
    answered: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    booked: list[str] = field(default_factory=list)
    seats: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    created: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    slowest_seconds: float = 0.0
    is_over: bool = False
    progress: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def on(cls, system: System) -> Self:
        """Returns a load on a running system, with an account and events of its own."""
        with open_client(system.url) as client:
            events = [create_event(client, SEATS)["id"] for _ in range(CLIENTS + 1)]
        with open_cinema(system) as cinema:
            screening_id = cinema.screening(ROWS, **PRICES)
        [person] = add_accounts(system.database, {"ada": "USER"}).values()
        targets = {
            "accounts": system.accounts_targets,
            "bookings": system.bookings_targets,
            "events": system.events_targets,
        }
        return cls(
            ports=system.ports,
            targets={name: f"ipv4:{','.join(places)}" for name, places in targets.items()},
            token=person.authorization.removeprefix("Bearer "),
            event_id=events[0],
            screening_id=screening_id,
            own_events=events[1:],
        )

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Asks while the work goes on."""
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            channels = {
                name: await stack.enter_async_context(boxoffice.connect(target))
                for name, target in self.targets.items()
            }
            for own_event in self.own_events:
                group.create_task(Client(self, channels, own_event).run())
            try:
                await work()
            finally:
                self.is_over = True

    async def go_on(self, requests: int = ENOUGH) -> None:
        """Waits for so many answers; by default for one of each kind to each client."""
        enough = self.answered.total() + requests
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.answered.total() < enough:
                self.progress.clear()
                await self.progress.wait()

    def summary(self) -> str:
        """Describes the requests and failures in a line."""
        total = self.answered.total()
        return (
            f"{total} requests, {len(self.failures)} failed, {self.slowest_seconds:.1f} s at most"
        )

    def check_books(self, database: Database) -> None:
        """Fails unless exactly what was acknowledged is stored, once."""
        with psycopg.connect(database.owner_dsn) as connection:
            bookings = "SELECT user_id FROM bookings.bookings WHERE event_id IN (%s, %s)"
            events = "SELECT name FROM events.events WHERE name LIKE 'Made in a load %%'"
            payments = "SELECT id::text FROM bookings.payments WHERE status = 'SUCCEEDED'"
            charges = "SELECT id::text FROM bookings.sandbox_charges"
            booked = connection.execute(bookings, [self.event_id, self.screening_id]).fetchall()
            created = connection.execute(events).fetchall()
            paid, charged = (connection.execute(each).fetchall() for each in (payments, charges))
        assert sorted(user for (user,) in booked) == sorted(self.booked)
        assert sorted(name for (name,) in created) == sorted(self.created)
        assert sorted(paid) == sorted(charged) == sorted((payment,) for payment in self.paid)


async def replace(kind: str, replica: Process) -> None:
    """Stops a replica in order, starts it again, and waits until it has served a client."""
    replica.terminate()
    assert await asyncio.to_thread(replica.ended) == 0, replica.log()
    before = len(replica.log())
    replica.start()
    await asyncio.to_thread(until, lambda: SERVED[kind] in replica.log()[before:], replica.log)


class Client:
    """Makes one request of each kind after another, over HTTP and gRPC."""

    def __init__(self, load: Load, channels: dict[str, grpc.aio.Channel], own_event: int) -> None:
        first = load.own_events.index(own_event)
        self._load = load
        self._own_event = own_event
        self._http = KeptConnection(itertools.islice(itertools.cycle(load.ports), first, None))
        self._bookings = bookings_pb2_grpc.BookingsServiceStub(channels["bookings"])
        self._events = events_pb2_grpc.EventsServiceStub(channels["events"])
        self._accounts = accounts_pb2_grpc.AccountsServiceStub(channels["accounts"])
        self._sizes = itertools.cycle((20, 10))
        self._first: tuple[bytes, Answer] | None = None

    async def run(self) -> None:
        """Makes requests until the load is over."""
        try:
            for kind in itertools.cycle(self._kinds):
                if self._load.is_over:
                    return
                await self._ask(kind)
                await asyncio.sleep(PAUSE_SECONDS)  # the load is this small
        finally:
            await self._http.close()

    @property
    def _kinds(self) -> Sequence[Callable[[], Awaitable[object]]]:
        return (
            self._reserve,
            self._reserve_by_rpc,
            self._repeat,
            self._book_and_cancel,
            self._hold,
            self._buy,
            self._create,
            self._resize,
            self._get_event,
            self._get_event_by_rpc,
            self._list_bookings,
            self._get_me,
            self._get_me_by_rpc,
        )

    async def _ask(self, kind: Callable[[], Awaitable[object]]) -> None:
        name, began = kind.__name__.strip("_"), time.monotonic()
        try:
            await kind()
        except (
            AssertionError,
            ConnectionError,
            EOFError,
            TimeoutError,
            boxoffice.Refused,
        ) as error:
            self._load.failures.append(f"{name}: {error!r}")
        self._load.answered[name] += 1
        self._load.slowest_seconds = max(self._load.slowest_seconds, time.monotonic() - began)
        self._load.progress.set()

    async def _expect(self, status: int, asked: bytes) -> Answer:
        answer = await self._http.ask(asked)
        assert answer.status == status, answer
        return answer

    async def _reserve(self) -> None:
        user = new_user()
        asked = reservation(self._load.event_id, user, new_key())
        answer = await self._expect(201, asked)
        self._first = self._first or (asked, answer)
        self._load.booked.append(user)

    async def _repeat(self) -> None:
        """Repeats the first reservation, which another release may have answered."""
        assert self._first is not None
        asked, first = self._first
        assert (await self._expect(201, asked)).body == first.body

    async def _book_and_cancel(self) -> None:
        body = {"event_id": self._own_event, "seat_count": 1}
        booked = await self._expect(201, request("POST", "/bookings", body, self._bearer))
        path = f"/bookings/{booked.json['reference']}"
        await self._expect(200, request("DELETE", path, headers=self._bearer))

    async def _hold(self) -> Answer:
        user = new_user()
        body = {
            "screening_id": self._load.screening_id,
            "user_id": user,
            "seat_ids": [next(self._load.seats)],
        }
        headers = {"Idempotency-Key": new_key()}
        held = await self._expect(201, request("POST", "/api/seat-reservations", body, headers))
        self._load.booked.append(user)
        return held

    async def _buy(self) -> None:
        """Pays a ticket, and repeats that, to which another release may have answered."""
        booking = {"reservation_id": (await self._hold()).json["reservation_id"]}
        key = {"Idempotency-Key": new_key()}
        await self._expect(201, request("POST", "/api/tickets", booking, key))
        body = {**booking, "method": "card", "token": "tok_ok"}
        asked = request("POST", "/api/payments", body, key)
        paid = await self._expect(201, asked)
        assert paid.json["status"] == "SUCCEEDED", paid
        self._load.paid.append(paid.json["payment_id"])
        assert (await self._expect(201, asked)).body == paid.body

    async def _reserve_by_rpc(self) -> None:
        user = new_user()
        asked = bookings_pb2.ReserveRequest(event_id=self._load.event_id, user_id=user)
        await self._call(self._bookings.Reserve, asked)
        self._load.booked.append(user)

    async def _create(self) -> None:
        name = f"Made in a load {new_user()}"
        body = {"name": name, "total_seats": 1}
        await self._expect(201, request("POST", "/events", body, {"Idempotency-Key": new_key()}))
        self._load.created.append(name)

    async def _resize(self) -> None:
        body, path = {"total_seats": next(self._sizes)}, f"/events/{self._own_event}"
        await self._expect(200, request("PATCH", path, body, {"Idempotency-Key": new_key()}))

    async def _get_event(self) -> None:
        await self._expect(200, request("GET", f"/events/{self._load.event_id}"))

    async def _get_event_by_rpc(self) -> None:
        asked = events_pb2.GetEventRequest(event_id=self._load.event_id)
        await self._call(self._events.GetEvent, asked)

    async def _list_bookings(self) -> None:
        await self._expect(200, request("GET", "/bookings", headers=self._bearer))

    async def _get_me(self) -> None:
        await self._expect(200, request("GET", "/auth/me", headers=self._bearer))

    async def _get_me_by_rpc(self) -> None:
        await self._call(self._accounts.GetMe, accounts_pb2.GetMeRequest())

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._load.token}", "Idempotency-Key": new_key()}

    async def _call(self, rpc: Any, asked: Any) -> None:
        token = self._load.token if isinstance(asked, accounts_pb2.GetMeRequest) else None
        await boxoffice.call(rpc, asked, timeout_seconds=PATIENCE_SECONDS, token=token)
