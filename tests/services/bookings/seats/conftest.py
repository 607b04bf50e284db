"""Fixtures of a screening whose seats are taken by direct writes."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from services.bookings.catalogue.plans import Plans
from services.bookings.inventory import Inventory
from services.bookings.seating.plan import map_of
from services.kit.database.postgres import Pool
from tests.services.bookings.rooms import Rooms, hall

BLOCK_SEATS, BLOCK_BYTES = 1_024, 128


@dataclass
class Box:
    """Takes seats of screenings with the rows that the core would write."""

    pool: Pool

    async def take(
        self,
        event_id: int,
        *,
        held: Iterable[int] = (),
        sold: Iterable[int] = (),
        blocked: Iterable[int] = (),
    ) -> None:
        """Takes exactly these seats, at the next revision."""
        maps = [map_of(seat_ids) for seat_ids in (held, sold, blocked)]
        taken = maps[0] | maps[1] | maps[2]
        size = -(-max(taken.bit_length(), 1) // BLOCK_SEATS) * BLOCK_BYTES
        columns = [each.to_bytes(size, "little") for each in (taken, *maps[1:])]
        async with self.pool.connection() as connection:
            await connection.execute("DELETE FROM seat_blocks WHERE event_id = %s", [event_id])
            for block in range(size // BLOCK_BYTES):
                part = slice(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES)
                values = [column[part] for column in columns]
                count = sum(byte.bit_count() for byte in values[0])
                await connection.execute(
                    "INSERT INTO seat_blocks (event_id, block, taken, sold, blocked, taken_count)"
                    " VALUES (%s, %s, %s, %s, %s, %s)",
                    [event_id, block, *values, count],
                )
            await connection.execute(
                "UPDATE inventory SET rev = rev + 1 WHERE event_id = %s", [event_id]
            )


@dataclass
class Clock:
    """A clock that tests move."""

    seconds: float = 0

    def __call__(self) -> float:
        """Returns the time in seconds."""
        return self.seconds


@pytest.fixture
def box(pool: Pool) -> Box:
    """Returns a box over the database."""
    return Box(pool)


@pytest.fixture
def rooms() -> Rooms:
    """Returns a catalogue with one small room."""
    return Rooms(hall())


@pytest.fixture
def plans(pool: Pool, rooms: Rooms) -> Plans:
    """Returns the plans of the rooms."""
    return Plans(pool, rooms.fetch)


@pytest.fixture
def inventory(pool: Pool, plans: Plans) -> Inventory:
    """Returns the inventory with the plans of the rooms."""
    return Inventory(pool, plans=plans)
