"""Backups and restores of all data: what was sold since is lost, named, and sold anew."""

import asyncio
import re
import stat
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from deploy.operator.backups import restores
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Inventory
from services.bookings.inventory.restoring import Restores
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations.reservations import Reservations
from services.events.feed.feed import Feed
from services.kit.database.postgres import Pool
from tests.conftest import Database, cloned
from tests.deploy.operator.conftest import Type
from tests.pools import patient_pool
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert, drift
from tests.services.bookings.rankings.conftest import roll_up, tallies, top

BILLION = 1_000_000_000


@pytest.fixture
def replaceable(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Returns a database that a restore may replace; what it replaced is deleted."""
    with cloned(postgres) as database:
        monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
        yield database
        for name in replaced(database):
            restores.discard(database.owner_dsn, name)


@pytest.fixture
async def pool(replaceable: Database) -> AsyncIterator[Pool]:
    """Opens a pool of a process that runs all the time."""
    async with patient_pool(replaceable.bookings_dsn, schema="bookings", size=4) as opened:
        yield opened


def replaced(database: Database) -> list[str]:
    """Lists the databases beside this one that restores made."""
    with psycopg.connect(database.owner_dsn) as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '\\_%'"
        return [name for (name,) in connection.execute(query)]


def read(database: Database, query: str) -> list[tuple[Any, ...]]:
    """Reads rows as the owner."""
    with psycopg.connect(database.owner_dsn) as connection:
        return connection.execute(query).fetchall()


async def start(database: Database, pool: Pool) -> None:
    """Looks at the database as the services do when they start for the first time."""
    async with patient_pool(database.events_dsn, schema="events", size=1) as events:
        await Feed(events).begin_epoch_if_restored()
    await Restores(pool).raise_revisions()


async def test_a_drill(type_in: Type, replaceable: Database, pool: Pool, tmp_path: Path) -> None:
    """A restore could sell a seat twice, give a revision or a number twice, or hide who lost."""
    file, report = tmp_path / "backup", tmp_path / "losses"
    inventory = Inventory(pool)
    reservations = Reservations(inventory, Catalogue(ScriptedCatalogue().fetch, inventory))
    await start(replaceable, pool)
    await inventory.apply(concert(1, capacity=3))
    await booked(reservations, [seat(1, "ada"), seat(1, "bob")])
    made = await asyncio.to_thread(type_in, "backup", str(file))
    assert made.exit_code == 0, made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    await booked(reservations, [seat(1, "cid")])
    [(epoch, rev, last)] = read(replaceable, STATE)
    refused = await asyncio.to_thread(type_in, "restore", str(file))
    assert refused.exit_code == 1
    assert "is in use by boxoffice-bookings" in refused.output
    assert read(replaceable, STATE) == [(epoch, rev, last)]

    for number in (1, 2):
        arguments = ("restore", str(file), "--force", "--losses", str(report))
        done = await asyncio.to_thread(type_in, *arguments)
        assert done.exit_code == 0, done.output
        [line] = report.read_text().splitlines()
        assert re.fullmatch(r"lost: booking \d+ \(.+\) of event 1: 1 seats of \w+, confirmed", line)
        assert f"of {'cid' if number == 1 else 'dee'}, " in line
        assert line in done.output
        await pool.check()
        assert read(replaceable, TAKEN) == [("ada",), ("bob",)]
        await booked(reservations, [seat(1, "dee")])
        [(next_epoch, next_rev, next_last)] = read(replaceable, STATE)
        assert next_epoch != epoch
        assert next_rev > rev
        assert next_rev // BILLION == number
        assert next_last == last + 1
        epoch, rev, last = next_epoch, next_rev, next_last
    assert drift(replaceable) == []
    assert len(replaced(replaceable)) == 2


STATE = """
    SELECT head.epoch, inventory.rev, (SELECT max(id) FROM bookings.bookings)
    FROM events.head, bookings.inventory
"""
TAKEN = "SELECT user_id FROM bookings.bookings WHERE status = 'CONFIRMED' ORDER BY user_id"


async def test_rankings_go_on_after_the_backup_of_another_server(
    type_in: Type, replaceable: Database, pool: Pool, tmp_path: Path
) -> None:
    """Its transactions had higher numbers, and no new booking would count until those come."""
    inventory, rankings = Inventory(pool), Rankings(pool)
    await inventory.apply(concert(1, capacity=3))
    await inventory.decide([seat(1, "ada")])
    await roll_up(rankings)
    await inventory.decide([seat(1, "bob")])
    async with pool.connection() as connection:
        await connection.execute("UPDATE ledger SET txid = (1000000000 + rev)::text::xid8")
        await connection.execute("UPDATE tallied SET after_txid = '1000000002'")
    for command in ("backup", "restore"):
        options = ["--force"] if command == "restore" else []
        done = await asyncio.to_thread(type_in, command, str(tmp_path / "backup"), *options)
        assert done.exit_code == 0, done.output
    await pool.check()
    await inventory.decide([seat(1, "cid")])
    for _ in range(2):
        assert [user for _, user, _ in await top(rankings)] == ["ada", "bob", "cid"]
        await roll_up(rankings)
    assert tallies(replaceable) == Counter(["ada", "bob", "cid"])


def test_bad_files_change_nothing(
    type_in: Type, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was cut off could replace all data, or a backup a better one."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    before = read(database, DATABASE)
    file = tmp_path / "file"
    for content in (b"", b"no backup", b"PGDMP cut off"):
        file.write_bytes(content)
        refused = type_in("restore", str(file))
        assert refused.exit_code == 1
        assert "pg_restore failed" in refused.output
        assert type_in("backup", str(file)).exit_code == 2
        assert file.read_bytes() == content
    assert (read(database, DATABASE), replaced(database)) == (before, [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


DATABASE = "SELECT oid FROM pg_database WHERE datname = current_database()"
