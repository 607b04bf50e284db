"""Streams of an event's changes while bookings is killed, or restored from a backup."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from boxoffice.bookings.v1 import live_pb2
from deploy.local.postgres.server import EmbeddedPostgres
from services.kit.rpc.errors import Refusal
from tests.conftest import Database, cloned
from tests.faults.backups import Backups
from tests.faults.two_services import Buyer, TwoServices
from tests.services.events.client import eventually

BUYERS, EACH = 4, 30
SEATS = BUYERS * EACH
LAST = SEATS + 1
KILLED_AT = (30, 70)
BILLION = 1_000_000_000
SECONDS = 120


@dataclass
class Follower:
    """Watches an event, and watches it again from the last revision whenever a stream ends."""

    buyer: Buyer
    event_id: int
    revs: list[int] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)
    cut_off: int = 0

    @property
    def rev(self) -> int:
        """The last revision that it has."""
        return max([*self.revs[-1:], *self.snapshots[-1:]], default=0)

    async def follow_to(self, rev: int) -> None:
        """Watches until a revision."""
        while self.rev < rev:
            request = live_pb2.WatchEventRequest(event_id=self.event_id, after_revision=self.rev)
            stream = self.buyer.live.WatchEvent(request, timeout=SECONDS)
            try:
                await self._read(stream, rev)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self.cut_off += 1
                # The port of a killed process refuses at once.
                await asyncio.sleep(0.02)

    async def _read(self, stream: Any, rev: int) -> None:
        async for response in stream:
            if response.HasField("snapshot"):
                self.snapshots.append(response.snapshot.revision)
            self.revs += [change.revision for change in response.changes]
            if self.rev >= rev:
                return


async def buy(buyer: Buyer, event_id: int, name: str, sold: asyncio.Condition) -> None:
    """Buys seats one after the other; asks again with the same key while bookings is away."""
    for number in range(EACH):
        user = f"{name}-{number}"
        while True:
            with contextlib.suppress(Refusal, grpc.aio.AioRpcError):
                await buyer.reserve(event_id, user, f"key-{user}")
                break
            await asyncio.sleep(0.02)
        async with sold:
            sold.notify_all()


async def test_no_change_is_lost_or_repeated_when_bookings_is_killed(
    database: Database, tmp_path: Path
) -> None:
    """A client that watches again would pass over changes, or show seats as taken twice."""
    async with TwoServices(database, tmp_path) as services:
        event_id = (await services.organizer.create(total_seats=SEATS)).id
        followers = [Follower(services.buyer, event_id) for _ in range(3)]
        sold = asyncio.Condition()
        async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
            for follower in followers:
                group.create_task(follower.follow_to(LAST))
            for name in range(BUYERS):
                group.create_task(buy(services.buyer, event_id, str(name), sold))
            for seats in KILLED_AT:
                while _sold(services, event_id) < seats:
                    async with sold:
                        await sold.wait()
                await services.restart(services.bookings)
    for follower in followers:
        assert follower.cut_off >= len(KILLED_AT)
        assert len(follower.snapshots) == 1
        assert follower.revs == list(range(follower.snapshots[0] + 1, LAST + 1))


def _sold(services: TwoServices, event_id: int) -> int:
    [(sold,)] = services.read_bookings("SELECT sold FROM inventory WHERE event_id = %s", event_id)
    return int(sold)


@pytest.fixture
def lonely(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Returns a database for bookings alone, to which no other session is open."""
    with cloned(postgres) as made:
        yield made


async def test_a_watch_begins_anew_after_a_restore(
    database: Database, lonely: Database, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """Changes that were made since the backup, and are lost, would be taken for others."""
    backups = Backups(postgres, lonely)
    services = TwoServices(lonely, tmp_path, catalogue=database)
    with contextlib.closing(backups):
        async with services:
            event_id = (await services.organizer.create(total_seats=SEATS)).id
            await services.buyer.reserve(event_id, "kept")
            services.bookings.kill()
            backups.make()
            services.bookings.start()
            await services.wait_until_connected()
            await services.buyer.reserve(event_id, "lost")
            lost = Follower(services.buyer, event_id)
            await lost.follow_to(3)
            services.bookings.kill()
            services.database = backups.load_elsewhere(lonely)
            services.bookings.start(BOOKINGS_DATABASE_URL=services.database.bookings_dsn)
            await services.wait_until_connected()
            await eventually(lambda: _is_raised(services, event_id), within_seconds=SECONDS)
            await services.buyer.reserve(event_id, "other")
            await lost.follow_to(BILLION + 3)
    assert lost.snapshots[-1] > BILLION


async def _is_raised(services: TwoServices, event_id: int) -> bool:
    query = "SELECT rev FROM inventory WHERE event_id = %s"
    [(rev,)] = services.read_bookings(query, event_id)
    return int(rev) > BILLION
