"""One server in production: its settings, its secrets and its first key."""

import os
import stat
from pathlib import Path

import psycopg
import pytest

from deploy.local.database import Database as RunDatabase
from deploy.local.errors import LocalRunError
from deploy.local.processes.environment import environment
from deploy.local.production import Production, production_settings
from deploy.local.secret import FILE, load_secret
from services.kit.process.environment import SettingsError
from tests.conftest import Database

DSNS = {"accounts": "dbname=a", "events": "dbname=e", "bookings": "dbname=b"}
SECRETS = ("BOXOFFICE_SERVICE_KEY", "ACCOUNTS_CODE_PEPPER")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns an empty folder for data; the database is somebody's own, and never asked."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", "postgresql://owner@localhost/own")
    return tmp_path / "data"


def environment_of(data: Path) -> dict[str, str]:
    """Returns the environment of the processes of a run in production."""
    settings = production_settings(data)
    return environment(settings, Production(settings, with_samples=False), DSNS, "")


def test_secrets_are_made_once_and_kept(data: Path) -> None:
    """A restart could change a secret, or two secrets be the same."""
    first = environment_of(data)
    assert {name: environment_of(data)[name] for name in SECRETS} == {
        name: first[name] for name in SECRETS
    }
    assert len({first[name] for name in SECRETS} | {(data / FILE).read_text()}) == 3
    assert all(len(first[name]) >= 32 for name in SECRETS)
    assert stat.S_IMODE((data / FILE).stat().st_mode) == 0o600
    assert [path.name for path in data.iterdir()] == [FILE]


def test_a_secret_of_the_environment_wins(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas on other servers could not share a secret."""
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "k" * 32)
    assert environment_of(data)["BOXOFFICE_SERVICE_KEY"] == "k" * 32


def test_a_damaged_secret_is_refused(data: Path) -> None:
    """A file that a full disk left empty could become the secret of everything."""
    data.mkdir()
    (data / FILE).touch()
    with pytest.raises(LocalRunError, match="must have 32 characters or more"):
        load_secret(data)
    assert (data / FILE).read_text() == ""


def test_production_is_closed_unless_it_is_opened(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody could book for anybody, or the processes run as in development."""
    monkeypatch.setenv("BOXOFFICE_ENV", "development")
    closed = environment_of(data)
    assert closed["BOXOFFICE_ENV"] == "production"
    assert closed["BOXOFFICE_OPEN_ACCESS"] == "false"
    assert "BOXOFFICE_REFLECTION" not in closed
    monkeypatch.setenv("BOXOFFICE_OPEN_ACCESS", "true")
    assert environment_of(data)["BOXOFFICE_OPEN_ACCESS"] == "true"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that PostgreSQL cannot reach")
def test_root_cannot_keep_the_data_where_postgresql_cannot_reach_it(tmp_path: Path) -> None:
    """The data could land in a folder that the system cleans up."""
    (tmp_path / "closed").mkdir(mode=0o700)
    with pytest.raises(SettingsError, match="every user can reach"):
        production_settings(tmp_path / "closed/data")


async def test_the_first_key_is_made_for_production(database: Database, data: Path) -> None:
    """Accounts could refuse to start, or every start replace the key."""
    mode = Production(production_settings(data), with_samples=False)
    for _ in range(2):
        await mode.prepare(RunDatabase(database.owner_dsn, data, None))
    with psycopg.connect(database.accounts_dsn, options="-c search_path=accounts") as connection:
        [(kid,)] = connection.execute("SELECT kid FROM signing_keys").fetchall()
    assert not kid.startswith("dev-")
