"""The catalogue is restored from a backup: a new epoch begins, and bookings lists all events."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from deploy.local.postgres.server import EmbeddedPostgres
from services.events.feed import feed
from tests.conftest import Database, cloned
from tests.e2e.system import free_ports
from tests.faults.backups import Backups
from tests.faults.proxy import Proxy
from tests.faults.two_services import TwoServices
from tests.services.bookings.conftest import drift
from tests.services.events.client import eventually, refused

SEATS = 10
RESTORED_SECONDS = 60


@pytest.fixture
def catalogue(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Returns a database for the catalogue alone."""
    with cloned(postgres) as database:
        yield database


@pytest.fixture
def backups(postgres: EmbeddedPostgres, catalogue: Database) -> Iterator[Backups]:
    """Returns backups of the catalogue."""
    made = Backups(postgres, catalogue)
    yield made
    made.close()


@dataclass
class Restored:
    """The events at the time of the backup, and one that was created later."""

    kept: int
    outsold: int
    deleted: int
    created: int
    booking_id: int


class ProxiedServices:
    """Both services with a proxy from bookings to events, and a backup of the catalogue."""

    def __init__(self, services: TwoServices, proxy: Proxy, backups: Backups) -> None:
        self.services = services
        self.proxy = proxy
        self._backups = backups

    async def change_events(self) -> Restored:
        """Creates and changes events, with a backup in the middle."""
        organizer, buyer = self.services.organizer, self.services.buyer
        kept = (await organizer.create(total_seats=SEATS)).id
        outsold = (await organizer.create(total_seats=2)).id
        deleted = (await organizer.create(total_seats=SEATS)).id
        self.services.events.kill()
        self._backups.make()
        self.services.events.start()
        await self.services.wait_until_connected()
        created = (await organizer.create(total_seats=SEATS)).id
        booking_id = await buyer.reserve(created, "ada")
        await organizer.update(kept, total_seats=2 * SEATS)
        await organizer.update(outsold, total_seats=4)
        for user in ("ada", "bob", "eve"):
            await buyer.reserve(outsold, user)
        await organizer.delete(deleted)
        await self.services.wait_until_consistent()
        return Restored(kept, outsold, deleted, created, booking_id)

    async def restore(self, *, in_place: bool) -> None:
        """Starts events on the backup, cut off from bookings."""
        self.proxy.blackhole()
        self.services.events.kill()
        restored = self._backups.load_elsewhere(self.services.catalogue)
        if in_place:
            replace_files(restored)
        self.services.catalogue = restored
        self.services.events.start(EVENTS_DATABASE_URL=restored.events_dsn)
        await self.services.wait_until_connected()

    async def is_listed(self) -> bool:
        """Returns whether bookings follows the current epoch."""
        [(epoch,)] = self.services.read_bookings("SELECT epoch FROM following")
        return self.services.read_events("SELECT epoch FROM head") == [(epoch,)]

    def stock(self, event_id: int) -> TupleRow:
        """Returns capacity, seats taken, whether the event is closed, and why it is frozen."""
        [row] = self.services.read_bookings(
            "SELECT capacity, sold, closed_at IS NOT NULL, frozen FROM inventory"
            " WHERE event_id = %s",
            event_id,
        )
        return row


def replace_files(restored: Database) -> None:
    """Makes the copy look as if its files had replaced those of the original."""
    with psycopg.connect(restored.owner_dsn, options="-c search_path=events") as connection:
        [(epoch,)] = connection.execute("SELECT epoch FROM head").fetchall()
        connection.execute(feed.SQL["begin_epoch_if_restored"])
        connection.execute("UPDATE head SET epoch = %s", [epoch])


@pytest.fixture
async def proxied(
    database: Database, catalogue: Database, backups: Backups, tmp_path: Path
) -> AsyncIterator[ProxiedServices]:
    """Runs both, each on a database of its own; bookings reconciles every 0.2 s."""
    [near_bookings] = (f"127.0.0.1:{port}" for port in free_ports(1))
    settings = {"BOOKINGS_EVENTS_TARGET": near_bookings, "BOOKINGS_RECONCILE_SECONDS": "0.2"}
    services = TwoServices(database, tmp_path, catalogue=catalogue, settings=settings)
    async with Proxy(services.events_target, near_bookings) as proxy, services:
        yield ProxiedServices(services, proxy, backups)


@pytest.mark.parametrize("in_place", [False, True], ids=["elsewhere", "in place"])
async def test_a_restored_catalogue_is_listed_again(
    proxied: ProxiedServices, database: Database, *, in_place: bool
) -> None:
    """Events that the backup lacks could stay on sale, or those that it has keep later states."""
    known = await proxied.change_events()
    [(before,)] = proxied.services.read_events("SELECT epoch FROM head")
    await proxied.restore(in_place=in_place)
    await proxied.proxy.heal()

    async def is_another_epoch() -> bool:
        return proxied.services.read_events("SELECT epoch FROM head") != [(before,)]

    await eventually(is_another_epoch, within_seconds=RESTORED_SECONDS)
    await eventually(proxied.is_listed, within_seconds=RESTORED_SECONDS)
    assert proxied.stock(known.kept) == (SEATS, 0, False, "")
    assert proxied.stock(known.created)[:3] == (SEATS, 0, True)
    assert proxied.stock(known.deleted)[2]
    with refused("EVENT_NOT_FOUND"):
        await proxied.services.buyer.reserve(known.created, "bob")
    shown = await proxied.services.organizer.create(total_seats=1)
    assert shown.id > known.created + 1_000
    await proxied.services.buyer.reserve(shown.id, "ada")
    assert drift(database) == []


async def test_no_seats_are_taken_away_before_all_events_are_listed(
    proxied: ProxiedServices,
) -> None:
    """Revisions of two epochs could be compared, and seats be taken away that are sold."""
    known = await proxied.change_events()
    await proxied.restore(in_place=False)
    with refused("OUTCOME_UNKNOWN"):
        await proxied.services.organizer.update(known.kept, total_seats=5)
    with refused("CHANGE_PENDING"):
        await proxied.services.organizer.delete(known.kept)
    await proxied.services.buyer.reserve(known.kept, "ada")
    assert proxied.stock(known.kept)[0] == 2 * SEATS
    await proxied.proxy.heal()

    async def is_shrunk() -> bool:
        return (await proxied.services.organizer.get(known.kept)).total_seats == 5

    await eventually(is_shrunk, within_seconds=RESTORED_SECONDS)
    assert proxied.stock(known.kept)[:2] == (5, 1)
    shown = await proxied.services.organizer.update(known.kept, total_seats=4)
    assert shown.total_seats == 4


async def test_sold_seats_survive_a_restore(proxied: ProxiedServices) -> None:
    """A backup with fewer seats than are sold could oversell the event."""
    known = await proxied.change_events()
    await proxied.restore(in_place=False)
    await proxied.proxy.heal()

    async def is_frozen() -> bool:
        return proxied.stock(known.outsold) == (4, 3, False, "CATALOGUE")

    await eventually(is_frozen, within_seconds=RESTORED_SECONDS)
    with refused("EVENT_NOT_BOOKABLE"):
        await proxied.services.buyer.reserve(known.outsold, "kim")
    await proxied.services.organizer.update(known.outsold, total_seats=5)
    assert proxied.stock(known.outsold) == (5, 3, False, "")
    await proxied.services.buyer.reserve(known.outsold, "kim")
