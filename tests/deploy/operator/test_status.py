"""`boxoffice status` of a database whose processes are down."""

import asyncio
import json
import re
from typing import Any

import psycopg
import pytest

from deploy.operator.status.figures import BACKLOGS, SQL
from deploy.operator.status.processes import addresses
from services.bookings.inventory import Inventory
from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.pools import patient_pool
from tests.services.bookings.conftest import concert

WAITING = """
    UPDATE bookings.inventory SET frozen = 'COUNTERS' WHERE event_id = 2;
    INSERT INTO accounts.outbox (canonical_email, email, letter, asked_at, due_at)
    VALUES ('a@example.com', 'a@example.com', 'one', now() - interval '5 minutes', now());
"""


@pytest.fixture
def nobody_runs(database: Database, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Leads the command to ports that nobody listens on, and to the database."""
    for name in ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT"):
        monkeypatch.setenv(name, ports[name])
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)


async def make_backlogs(database: Database) -> None:
    """Freezes one of two events, and leaves a letter unsent for five minutes."""
    async with patient_pool(database.bookings_dsn, schema="bookings", size=2) as pool:
        inventory = Inventory(pool)
        await inventory.apply(concert(1))
        await inventory.apply(concert(2))
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(WAITING)


async def test_shows_what_is_down_and_what_waits(
    type_in: Type, database: Database, nobody_runs: None
) -> None:
    """An operator could see a healthy system while nothing is sold and no letter is sent."""
    await make_backlogs(database)
    found = await as_json(type_in)
    assert [process["state"] for process in found["processes"]] == ["unreachable"] * 4
    figures = found["figures"]
    assert figures["frozen"] == {"2": "COUNTERS"}
    assert figures["pending_migrations"] == []
    assert figures["backlogs"].keys() == BACKLOGS.keys()
    letters = figures["backlogs"].pop("letters")
    assert letters["count"] == 1
    assert letters["seconds"] > 300
    assert {backlog["count"] for backlog in figures["backlogs"].values()} == {0}
    assert not found["is_well"]


def test_every_backlog_is_read() -> None:
    """A backlog with another name in the statement would always be shown as empty."""
    kinds = re.findall(r"SELECT '(\w+)'", SQL["backlogs"].decode())
    assert set(kinds) == BACKLOGS.keys()


async def as_json(type_in: Type) -> dict[str, Any]:
    """Runs the command; its exit status says that something is wrong."""
    result = await asyncio.to_thread(type_in, "status", "--json")
    assert result.exit_code == 1, result.output
    found: dict[str, Any] = json.loads(result.output)
    return found


def test_the_screen_has_everything(type_in: Type, database: Database, nobody_runs: None) -> None:
    """A figure could be in the JSON alone, which nobody reads at night."""
    result = type_in("status")
    assert result.exit_code == 1
    for title in (*BACKLOGS.values(), "frozen events", "people in waiting lists", "migrations"):
        assert title in result.output
    assert max(map(len, result.output.splitlines())) <= 100
    assert len(result.output.splitlines()) <= 25


def test_a_database_that_is_down_is_shown(
    type_in: Type, nobody_runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command could fail exactly when it is needed."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "postgresql://a:canary@127.0.0.1:1/none")
    result = type_in("status")
    assert result.exit_code == 1
    assert "The database: connection" in result.output
    assert "canary" not in result.output


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("127.0.0.1:1", ["127.0.0.1:1"]),
        ("dns:///127.0.0.1:1", ["127.0.0.1:1"]),
        ("ipv4:10.0.0.1:1,10.0.0.2:1", ["10.0.0.1:1", "10.0.0.2:1"]),
        ("unix:/run/bookings", ["unix:/run/bookings"]),
    ],
)
def test_every_replica_of_a_target_is_asked(target: str, found: list[str]) -> None:
    """A replica that is down could be hidden by another one."""
    assert list(addresses(target)) == found
