"""The catalogue is restored from a backup: it begins another epoch, and all is listed anew."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from deploy.local.postgres import EmbeddedPostgres
from services.events.feed import feed
from tests.conftest import Database, cloned
from tests.e2e.system import free_ports
from tests.faults.pair import Pair
from tests.faults.proxy import Proxy
from tests.services.bookings.conftest import drift
from tests.services.events.client import eventually, refused

SEATS = 10
RESTORED_SECONDS = 10


class Backups:
    """Copies of the catalogue's database, made and loaded while nobody is connected to it."""

    def __init__(self, server: EmbeddedPostgres, catalogue: Database) -> None:
        self._server = server
        self._names = [str(conninfo_to_dict(catalogue.owner_dsn)["dbname"])]
        self._backup = f"{self._names[0]}_backup"

    def make(self) -> None:
        """Copies the database as it is."""
        self._copy(self._names[0], self._backup)

    def load_elsewhere(self, catalogue: Database) -> Database:
        """Loads the copy into another database; gives that."""
        name = f"{self._names[0]}_restored"
        self._copy(self._backup, name)
        self._names.append(name)
        return Database(*(make_conninfo(dsn, dbname=name) for dsn in astuple(catalogue)))

    def drop(self) -> None:
        """Leaves nothing behind."""
        for name in (self._backup, *self._names[1:]):
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _copy(self, source: str, target: str) -> None:
        self._run("CREATE DATABASE {} TEMPLATE {}", target, source)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server.dsn(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture
def catalogue(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """Gives the catalogue a database of its own."""
    with cloned(postgres) as database:
        yield database


@pytest.fixture
def backups(postgres: EmbeddedPostgres, catalogue: Database) -> Iterator[Backups]:
    """Gives backups of the catalogue."""
    made = Backups(postgres, catalogue)
    yield made
    made.drop()


@dataclass
class Restored:
    """What was there when the backup was made, and one event that was not."""

    kept: int
    outsold: int
    deleted: int
    created: int
    booking_id: int


class Town:
    """A pair, a line from bookings to events that can be cut, and a backup."""

    def __init__(self, pair: Pair, line: Proxy, backups: Backups) -> None:
        self.pair = pair
        self.line = line
        self._backups = backups

    async def live(self) -> Restored:
        """Makes a backup in the middle of what happens to some events."""
        organizer, buyer = self.pair.organizer, self.pair.buyer
        kept = (await organizer.create(total_seats=SEATS)).id
        outsold = (await organizer.create(total_seats=2)).id
        deleted = (await organizer.create(total_seats=SEATS)).id
        self.pair.events.kill()
        self._backups.make()
        self.pair.events.start()
        await self.pair.meet()
        created = (await organizer.create(total_seats=SEATS)).id
        booking_id = await buyer.reserve(created, "ada")
        await organizer.update(kept, total_seats=2 * SEATS)
        await organizer.update(outsold, total_seats=4)
        for user in ("ada", "bob", "eve"):
            await buyer.reserve(outsold, user)
        await organizer.delete(deleted)
        await self.pair.agree()
        return Restored(kept, outsold, deleted, created, booking_id)

    async def restore(self, *, in_place: bool) -> None:
        """Starts events on the backup; bookings cannot follow it yet."""
        self.line.blackhole()
        self.pair.events.kill()
        restored = self._backups.load_elsewhere(self.pair.catalogue)
        if in_place:
            take_the_place(restored)
        self.pair.catalogue = restored
        self.pair.events.start(EVENTS_DATABASE_URL=restored.events_dsn)
        await self.pair.meet()

    async def is_listed(self) -> bool:
        """Tells whether bookings follows the epoch that there is now."""
        [(epoch,)] = self.pair.read_bookings("SELECT epoch FROM following")
        return self.pair.read_events("SELECT epoch FROM head") == [(epoch,)]

    def stock(self, event_id: int) -> TupleRow:
        """Reads capacity, seats taken, whether it is closed, and why it is frozen."""
        [row] = self.pair.read_bookings(
            "SELECT capacity, sold, closed_at IS NOT NULL, frozen FROM inventory"
            " WHERE event_id = %s",
            event_id,
        )
        return row


def take_the_place(restored: Database) -> None:
    """Makes a copy look as if its files had been put where those of the original were."""
    with psycopg.connect(restored.owner_dsn, options="-c search_path=events") as connection:
        [(epoch,)] = connection.execute("SELECT epoch FROM head").fetchall()
        connection.execute(feed.SQL["begin_epoch_if_restored"])
        connection.execute("UPDATE head SET epoch = %s", [epoch])


@pytest.fixture
async def town(
    database: Database, catalogue: Database, backups: Backups, tmp_path: Path
) -> AsyncIterator[Town]:
    """Runs both, each on a database of its own; bookings compares all the time."""
    [near_bookings] = (f"127.0.0.1:{port}" for port in free_ports(1))
    settings = {"BOOKINGS_EVENTS_TARGET": near_bookings, "BOOKINGS_RECONCILE_SECONDS": "0.2"}
    pair = Pair(database, tmp_path, catalogue=catalogue, settings=settings)
    async with Proxy(pair.events_target, near_bookings) as line, pair:
        yield Town(pair, line, backups)


@pytest.mark.parametrize("in_place", [False, True], ids=["elsewhere", "in place"])
async def test_a_restored_catalogue_is_listed_anew(
    town: Town, database: Database, *, in_place: bool
) -> None:
    """Whichever way it is found out: what the backup has is in force, what it lacks is closed."""
    known = await town.live()
    [(before,)] = town.pair.read_events("SELECT epoch FROM head")
    await town.restore(in_place=in_place)
    await town.line.heal()

    async def is_another_epoch() -> bool:
        return town.pair.read_events("SELECT epoch FROM head") != [(before,)]

    await eventually(is_another_epoch, within_seconds=RESTORED_SECONDS)
    await eventually(town.is_listed, within_seconds=RESTORED_SECONDS)
    assert town.stock(known.kept) == (SEATS, 0, False, "")
    assert town.stock(known.created)[:3] == (SEATS, 0, True)
    assert town.stock(known.deleted)[2]
    with refused("EVENT_NOT_FOUND"):
        await town.pair.buyer.reserve(known.created, "bob")
    shown = await town.pair.organizer.create(total_seats=1)
    assert shown.id > known.created + 1_000
    await town.pair.buyer.reserve(shown.id, "ada")
    assert drift(database) == []


async def test_nothing_is_taken_away_before_all_is_listed(town: Town) -> None:
    """What bookings would say of another epoch's revisions means nothing; it waits."""
    known = await town.live()
    await town.restore(in_place=False)
    with refused("OUTCOME_UNKNOWN"):
        await town.pair.organizer.update(known.kept, total_seats=5)
    with refused("CHANGE_PENDING"):
        await town.pair.organizer.delete(known.kept)
    await town.pair.buyer.reserve(known.kept, "ada")
    assert town.stock(known.kept)[0] == 2 * SEATS
    await town.line.heal()

    async def is_shrunk() -> bool:
        return (await town.pair.organizer.get(known.kept)).total_seats == 5

    await eventually(is_shrunk, within_seconds=RESTORED_SECONDS)
    assert town.stock(known.kept)[:2] == (5, 1)
    shown = await town.pair.organizer.update(known.kept, total_seats=4)
    assert shown.total_seats == 4


async def test_seats_that_are_sold_outlive_a_restore(town: Town) -> None:
    """Fewer are never in force: the sale stops, until the catalogue has room for them again."""
    known = await town.live()
    await town.restore(in_place=False)
    await town.line.heal()

    async def is_frozen() -> bool:
        return town.stock(known.outsold) == (4, 3, False, "CATALOGUE")

    await eventually(is_frozen, within_seconds=RESTORED_SECONDS)
    with refused("EVENT_NOT_BOOKABLE"):
        await town.pair.buyer.reserve(known.outsold, "kim")
    await town.pair.organizer.update(known.outsold, total_seats=5)
    assert town.stock(known.outsold) == (5, 3, False, "")
    await town.pair.buyer.reserve(known.outsold, "kim")
