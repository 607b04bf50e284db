"""`boxoffice doctor` finds what keeps a server from running Boxoffice, and changes nothing."""

import json
import socket
from pathlib import Path

import psycopg
import pytest

from deploy.local.postgres.server import EmbeddedPostgres
from services.migrate import SERVICES, migrate_all, role_of
from tests.conftest import PASSWORDS, Database, cloned
from tests.deploy.operator.conftest import Type

PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT")


@pytest.fixture
def examined(
    type_in: Type, database: Database, ports: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Type:
    """Returns a function that runs a command on a database and on free ports."""
    for name in PORTS:
        monkeypatch.setenv(name, ports[name])
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    return type_in


def found(examined: Type, data: Path) -> dict[str, tuple[str, str]]:
    """Returns the worst state and its text of each check."""
    result = examined("doctor", "--json", "--data", str(data))
    worst: dict[str, tuple[str, str]] = {}
    for finding in json.loads(result.output):
        state, text = finding["state"], finding["text"]
        before, _ = worst.get(finding["check"], ("ok", ""))
        if STATES.index(state) >= STATES.index(before):
            worst[finding["check"]] = (state, text)
    is_bad = any(state == "error" for state, _ in worst.values())
    assert result.exit_code == is_bad
    return worst


STATES = ("ok", "warning", "error")
DAMAGE = """
    DELETE FROM bookings.schema_migrations WHERE name = '0017_lineage.sql';
    INSERT INTO accounts.signing_keys (kid, private_key, public_key, signs_from)
    VALUES ('dev-1', repeat('p', 32)::bytea, repeat('q', 32)::bytea, now());
"""


def test_a_server_that_can_run_it(examined: Type, tmp_path: Path) -> None:
    """A good server could be refused, or be changed by looking at it."""
    data = tmp_path / "data"
    checks = found(examined, data)
    of_the_machine = {"clock", "disk"}
    assert of_the_machine <= checks.keys()
    assert {name: state for name, (state, _) in checks.items() if name not in of_the_machine} == {
        "versions": "ok",
        "rights": "ok",
        "secrets": "ok",
        "ports": "ok",
        "programs": "ok",
        # PostgreSQL of the tests trades safety for speed, which is found.
        "database": "error",
        "migrations": "ok",
    }
    assert "fsync is off" in checks["database"][1]
    assert not data.exists()


def test_names_what_is_wrong(
    examined: Type,
    postgres: EmbeddedPostgres,
    ports: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An operator could look for the cause in the wrong place."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "secret").write_text("s" * 64)
    (data / "secret").chmod(0o644)
    with cloned(postgres) as damaged:
        with psycopg.connect(damaged.owner_dsn) as connection:
            connection.execute(DAMAGE)
        monkeypatch.setenv("BOXOFFICE_DATABASE_URL", damaged.owner_dsn)
        with socket.create_server(("127.0.0.1", int(ports["BOOKINGS_PORT"]))):
            checks = found(examined, data)
    assert checks["ports"][0] == "error"
    assert f"port {ports['BOOKINGS_PORT']} " in checks["ports"][1]
    assert checks["migrations"] == ("warning", "1 have to run: boxoffice up or migrate does so")
    assert checks["secrets"][0] == "error"
    assert "rotate-keys --compromised" in checks["secrets"][1]
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "short")
    lines = examined("doctor", "--data", str(data)).output.splitlines()
    assert any("BOXOFFICE_SERVICE_KEY must have 32" in line for line in lines)


def test_roles_behind_a_pooler(
    examined: Type, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services could work without timeouts, or find no tables, behind a pooler."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_POOLED", "true")
    assert found(examined, tmp_path)["pooler"][0] == "error"
    migrate_all(database.owner_dsn, PASSWORDS, pooled=True)
    try:
        assert found(examined, tmp_path)["pooler"][0] == "ok"
    finally:
        with psycopg.connect(database.owner_dsn) as connection:
            for service in SERVICES:
                connection.execute(f"ALTER ROLE {role_of(service)} RESET ALL")


def test_a_database_that_does_not_answer(
    examined: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check could end in a traceback, or show the password."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "postgresql://a:canary@127.0.0.1:1/none")
    result = examined("doctor", "--data", str(tmp_path))
    assert result.exit_code == 1
    [line] = [line for line in result.output.splitlines() if line.split()[1] == "database"]
    assert line.startswith("error   database   it does not answer: ")
    assert "canary" not in result.output
