"""The command line as a whole: what it says of itself, and where it finds things."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.operator.__main__ import boxoffice
from tests.conftest import PASSWORDS, Database
from tests.deploy.operator.conftest import Type

PROJECT = Path(__file__).parents[3]
SECONDS = 60


@pytest.mark.parametrize("command", sorted(boxoffice.commands))
def test_each_command_says_what_it_needs(type_in: Type, command: str) -> None:
    """So that nobody has to start what is not needed, or to guess what is."""
    result = type_in(command, "--help")
    assert result.exit_code == 0
    assert "Needs " in result.output


def test_migrates_with_the_owners_rights(
    type_in: Type, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment names, as often as one likes."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    for service, password in PASSWORDS.items():
        monkeypatch.setenv(f"{service.upper()}_DATABASE_PASSWORD", password)
    for _ in range(2):
        result = type_in("migrate")
        assert (result.exit_code, result.output) == (0, "The schemas are up to date.\n")


def test_says_which_setting_is_missing(
    type_in: Type, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One password without the others is a mistake, not the development run."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    monkeypatch.setenv("EVENTS_DATABASE_PASSWORD", "secret")
    result = type_in("migrate")
    assert result.exit_code == 1
    assert result.output == "Error: ACCOUNTS_DATABASE_PASSWORD must be set\n"


def test_a_database_that_does_not_answer(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what to do about it, and shows no password."""
    monkeypatch.setenv("ACCOUNTS_DATABASE_URL", "postgresql://a:canary@127.0.0.1:1/none")
    monkeypatch.setattr("deploy.operator.database.OPEN_SECONDS", 0.2)
    result = type_in("ban", "ada@example.com")
    assert result.exit_code == 1
    assert "the database cannot be reached: start it with `make run`" in result.output
    assert "canary" not in result.output


def test_a_development_run_that_never_was(
    type_in: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asking for its database makes none."""
    monkeypatch.delenv("ACCOUNTS_DATABASE_URL")
    monkeypatch.setenv("BOXOFFICE_DATA_DIRECTORY", str(tmp_path / "none"))
    result = type_in("ban", "ada@example.com")
    assert "the database cannot be reached" in result.output
    assert not (tmp_path / "none").exists()


def installed(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs the installed command in a folder."""
    command = [str(Path(sys.executable).with_name("boxoffice")), "--help"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.mark.parametrize("folder", [PROJECT, Path("/")])
def test_the_installed_command_finds_the_checkout(folder: Path) -> None:
    """The one it was installed from, wherever it is typed."""
    finished = installed(folder)
    assert finished.returncode == 0, finished.stderr
    assert "rotate-keys" in finished.stdout
