"""Queues over the real inventory, moved forward when a test says so."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
import pytest

from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.queue_commands import QueueSettings, SetQueue
from services.bookings.queue.admissions import Admissions
from services.bookings.queue.queues import Holder, Joined, Queues
from services.bookings.reservations.reservations import Reservations, reserve
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert, earlier

SEED = bytes(32)


@dataclass
class Waiting:
    """The queue of event 1, its people and its workers."""

    pool: Pool
    inventory: Inventory
    reservations: Reservations
    queues: Queues
    admissions: Admissions

    async def open(self, *, enabled: bool = True, **settings: Any) -> None:
        """Puts an event on sale, and sets its queue."""
        if not await self.inventory.count_seats([1]):
            await self.inventory.apply(concert(1, 1_000))
        command = SetQueue(1, enabled, QueueSettings(SEED, **settings), GUEST)
        await self.inventory.decide([Ask(command)])

    async def join(self, *users: str) -> list[Joined]:
        """Adds users in one batch."""
        return list(await self.queues.join(1, users))

    async def position(self, token: str) -> int | None:
        """Returns the position of the holder of a token, as a poll does."""
        await self.queues.get(1, anew=True)
        [place] = await self.queues.find([Holder(1, token)])
        return getattr(place, "position", None)

    async def state(self, token: str) -> str:
        """Returns the state of the holder of a token, without a sign of life."""
        [entry] = (await self.queues._entries(1, {0: Holder(1, token)})).values()
        return entry.state

    async def buy(self, user_id: str, token: str = "") -> Any:
        """Asks for a seat."""
        [outcome] = await self.reservations.decide([reserve(1, user_id, GUEST, "", token)])
        return outcome

    async def rows(self, query: str) -> list[Any]:
        """Reads from the schema of bookings."""
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()

    async def pass_time(self, seconds: float, *, unattended: bool = False) -> None:
        """Lets time pass for the queue: what has happened is so much longer ago.

        The last tick was a second ago, unless the queue was `unattended`.
        """
        passed = f"{seconds} seconds"
        pause = passed if unattended else f"{min(seconds, 1.0)} seconds"
        async with self.pool.connection() as connection:
            await connection.execute(
                f"UPDATE queues SET ticked_at = {earlier('ticked_at', pause)}".encode()
            )
            await connection.execute(
                f"UPDATE queue_entries SET seen_at = {earlier('seen_at', passed)},"
                f" admitted_until = {earlier('admitted_until', passed)}".encode()
            )


@pytest.fixture
def line(pool: Pool, inventory: Inventory, reservations: Reservations) -> Waiting:
    """Returns the queue of event 1."""
    return Waiting(pool, inventory, reservations, Queues(pool), Admissions(pool))


async def moment(line: Waiting, seconds: float) -> datetime:
    """Returns the time of the database in some seconds."""
    [(found,)] = await line.rows(f"SELECT present() + make_interval(secs => {seconds})")
    assert isinstance(found, datetime)
    return found


def stop_the_clock(database: Database, *, at_seconds: int) -> None:
    """Makes it the same time for the database until the clock is set again."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute(f"""
            CREATE OR REPLACE FUNCTION present() RETURNS timestamptz LANGUAGE sql VOLATILE
            AS $$ SELECT timestamptz '2030-01-01 00:00:00Z' + interval '{at_seconds} seconds' $$
        """)
