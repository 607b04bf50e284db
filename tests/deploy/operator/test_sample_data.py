"""Sample accounts are made for development, once, and never in production."""

import asyncio
import copy
import threading
from collections.abc import Iterator
from http.server import HTTPServer

import pytest

from deploy.operator.sample_data import PASSWORD, SAMPLES
from services.accounts.credentials.signing_keys import SigningKeys
from services.kit.database.postgres import open_pool
from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.deploy.stand_ins.gateway import EVENTS, RESOURCES, Handler, forget
from tests.services.accounts.client import read

LOOK_SECONDS = 0.01
"""How often the stand-in looks whether it shall end."""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serves a stand-in for the gateway at PORT."""
    forget()
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("PORT", str(server.server_port))
        threading.Thread(target=server.serve_forever, args=[LOOK_SECONDS]).start()
        yield
        server.shutdown()
    forget()


@pytest.mark.usefixtures("served")
def test_seeding_twice_changes_nothing(type_in: Type, database: Database) -> None:
    """A second call could reset accounts or create them again, or the output lack a password."""
    start_developing(database)
    first = type_in("seed")
    assert first.exit_code == 0, first.output
    lines = [line.split() for line in first.output.splitlines()]
    for sample in SAMPLES:
        assert [sample.email, sample.role, PASSWORD] in lines
    kept = "SELECT id, password_hash, role, email_verified FROM accounts ORDER BY id"
    before = read(database, kept), copy.deepcopy((EVENTS, RESOURCES))
    accounts, _ = before
    assert len(accounts) == len(SAMPLES)
    assert {role for _, _, role, _ in accounts} == {"USER", "ORGANIZER", "ADMIN"}
    assert type_in("seed").output == first.output
    assert (read(database, kept), (EVENTS, RESOURCES)) == before


@pytest.mark.usefixtures("served")
def test_production_has_no_such_accounts(type_in: Type, database: Database) -> None:
    """Production could get accounts with a known password, from a shell without its settings."""
    type_in("rotate-keys", "--first")
    result = type_in("seed")
    assert result.exit_code == 1
    assert "not in production" in result.output
    assert read(database, "SELECT FROM accounts") == []


def test_without_a_gateway(
    type_in: Type, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing gateway could end in a traceback."""
    monkeypatch.setenv("PORT", "1")
    start_developing(database)
    result = type_in("seed")
    assert result.exit_code == 1
    assert "nothing answers at http://127.0.0.1:1" in result.output


def start_developing(database: Database) -> None:
    """Generates a key to sign with, as accounts does outside production."""

    async def prepare() -> None:
        async with open_pool(database.accounts_dsn, schema="accounts", size=1) as pool:
            await SigningKeys(pool).prepare(environment="development")

    asyncio.run(prepare())
