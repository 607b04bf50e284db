"""Each service has a database of its own; backups of one are restored while all processes run."""

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from deploy.local.postgres.server import EmbeddedPostgres, temporary_postgres
from deploy.local.settings import RunSettings
from deploy.operator.__main__ import boxoffice
from deploy.operator.backups import restores
from services.migrate import SERVICES, migrate_all
from tests.conftest import PASSWORDS, TEMPLATE, Database, cloned
from tests.e2e.accounts import add_accounts
from tests.e2e.client import create_event, open_client, refusal, reserve
from tests.e2e.system import System, until
from tests.services.bookings.conftest import drift

Apart = dict[str, Database]


@pytest.fixture
def servers(postgres: EmbeddedPostgres) -> Iterator[list[EmbeddedPostgres]]:
    """Returns a server for each service: the same one, unless SEPARATE_SERVERS is set."""
    with contextlib.ExitStack() as stack:
        others = [postgres, postgres]
        if "SEPARATE_SERVERS" in os.environ:
            binaries = RunSettings().postgres_bin
            others = [stack.enter_context(temporary_postgres(binaries=binaries)) for _ in others]
            for other in others:
                migrate_all(other.create_database(TEMPLATE), PASSWORDS)
        yield [postgres, *others]


@pytest.fixture
def apart(servers: list[EmbeddedPostgres]) -> Iterator[Apart]:
    """Returns a database for each service; what restores replaced is deleted."""
    with contextlib.ExitStack() as stack:
        places = zip(SERVICES, servers, strict=True)
        found = {name: stack.enter_context(cloned(server)) for name, server in places}
        yield found
        for database in found.values():
            for name in replaced(database):
                restores.discard(database.owner_dsn, name)


@pytest.fixture
def system(apart: Apart, tmp_path: Path) -> Iterator[System]:
    """Runs every service on the database that is its own."""
    database = Database(
        owner_dsn=apart["bookings"].owner_dsn,
        events_dsn=apart["events"].events_dsn,
        bookings_dsn=apart["bookings"].bookings_dsn,
        accounts_dsn=apart["accounts"].accounts_dsn,
    )
    with System(database, tmp_path) as running:
        yield running


@pytest.fixture
def client(system: System) -> Iterator[httpx.Client]:
    """Returns a client of that system."""
    with open_client(system.url) as opened:
        yield opened


def replaced(database: Database) -> list[str]:
    """Lists the databases that restores put beside this one."""
    with psycopg.connect(database.owner_dsn) as connection:
        query = "SELECT datname FROM pg_database WHERE datname LIKE current_database() || '\\_%'"
        return [name for (name,) in connection.execute(query)]


def operate(database: Database, *arguments: str) -> str:
    """Runs a command on the database of one service; returns its output."""
    environment = {"BOXOFFICE_DATABASE_URL": database.owner_dsn}
    done = CliRunner().invoke(boxoffice, arguments, prog_name="boxoffice", env=environment)
    assert done.exit_code == 0, done.output
    return done.output


def buyers(database: Database, event_id: int) -> list[str]:
    """Lists the users with a seat."""
    with psycopg.connect(database.owner_dsn) as connection:
        query = "SELECT user_id FROM bookings.bookings WHERE event_id = %s ORDER BY user_id"
        return [user for (user,) in connection.execute(query, [event_id])]


def is_booked(client: httpx.Client, event_id: int, user: str) -> bool:
    """Requests a seat; returns whether there was one, and not an outage."""
    status = reserve(client, event_id, user).status_code
    assert status in {201, 503, 504}
    return status == 201


def is_lost(client: httpx.Client, event_id: int) -> bool:
    """Returns whether bookings has closed an event that the catalogue lost."""
    return client.get(f"/api/events/{event_id}/availability").status_code == 404


def test_older_backups_of_one_service(
    system: System, apart: Apart, client: httpx.Client, tmp_path: Path
) -> None:
    """A service could read another's tables, or a restore sell seats twice or hide losses."""
    backups = {name: str(tmp_path / name) for name in ("bookings", "events")}
    token = add_accounts(apart["accounts"], {"ada": "USER"})["ada"]
    headers = {"Authorization": token.authorization}
    concert = create_event(client, 3)["id"]
    assert reserve(client, concert, token.id, headers).status_code == 201
    shown = client.get("/bookings", headers=headers).json()
    assert [booking["event_id"] for booking in shown["data"]] == [concert]
    operate(apart["bookings"], "backup", backups["bookings"])
    operate(apart["events"], "backup", backups["events"])

    assert reserve(client, concert, "bob").status_code == 201
    later = create_event(client, 3)["id"]
    assert reserve(client, later, "cid").status_code == 201
    said = operate(apart["bookings"], "restore", backups["bookings"], "--force")
    assert f"of event {concert}: 1 seats of bob, confirmed" in said
    assert f"of event {later}: 1 seats of cid, confirmed" in said
    assert "2 differences" in said
    until(partial(is_booked, client, concert, "bob"), system.log)
    until(partial(is_booked, client, later, "dee"), system.log)
    assert reserve(client, concert, "eve").status_code == 201
    assert refusal(reserve(client, concert, "fay")) == (409, "sold_out")
    assert buyers(apart["bookings"], concert) == sorted([token.id, "bob", "eve"])

    said = operate(apart["events"], "restore", backups["events"], "--force")
    assert f"lost: event {later}, Concert" in said
    until(partial(is_lost, client, later), system.log)
    assert refusal(reserve(client, later, "gus")) == (404, "event_not_found")
    assert refusal(reserve(client, concert, "fay")) == (409, "sold_out")
    newest = create_event(client, 1)["id"]
    assert newest > later
    until(partial(is_booked, client, newest, "hal"), system.log)
    assert drift(apart["bookings"]) == []
