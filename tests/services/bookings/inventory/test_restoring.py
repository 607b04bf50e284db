import asyncio

import psycopg
import pytest

from services.bookings.inventory import Inventory, restoring
from services.bookings.inventory.restoring import Restores
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert, drift

BILLION = 1_000_000_000
EVENTS = 5


def seem_restored(database: Database) -> None:
    """Makes the database look as if it was another one when the service last looked."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("UPDATE bookings.lineage SET name = 'another'")


async def revs(inventory: Inventory) -> list[int]:
    """Lists the revisions of all events."""
    seats = await inventory.count_seats(range(1, EVENTS + 2))
    return [seats[event_id].rev for event_id in sorted(seats)]


async def test_a_restored_database_gives_no_revision_twice(
    database: Database,
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client would take a later change for one that it knows, and show wrong seats for good."""
    monkeypatch.setattr(restoring, "RAISED_AT_ONCE", 2)
    for event_id in range(1, EVENTS + 1):
        await inventory.apply(concert(event_id))
    await booked(reservations, [seat(1, "ada")])
    replicas = [Restores(pool), Restores(pool)]
    assert not await replicas[0].raise_revisions(), "the first look is no restore"
    assert await revs(inventory) == [2, 1, 1, 1, 1]
    for restores in (1, 2):
        seem_restored(database)
        while any(await asyncio.gather(*(replica.raise_revisions() for replica in replicas))):
            pass
        base = restores * BILLION + restores
        assert await revs(inventory) == [base + 2, *[base + 1] * (EVENTS - 1)]
    await booked(reservations, [seat(1, "bob")])
    await inventory.apply(concert(EVENTS + 1))
    assert not await replicas[0].raise_revisions()
    assert (await revs(inventory))[-1] == 2 * BILLION + 2, "it may have been known before"
    assert drift(database) == []
