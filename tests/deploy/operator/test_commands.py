"""The command line as a whole: its help, its messages, and how it finds the database."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from deploy.operator.__main__ import COMMANDS
from deploy.operator.errors import UnreachableError
from tests.conftest import PASSWORDS, Database
from tests.deploy.operator.conftest import Type

PROJECT = Path(__file__).parents[3]
SECONDS = 60


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_help_of_each_command_names_its_requirements(type_in: Type, command: str) -> None:
    """An operator could start what a command does not need."""
    result = type_in(command, "--help")
    assert result.exit_code == 0
    assert "Needs " in result.output


def test_migrates_with_the_owners_rights(
    type_in: Type, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second migration could fail."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    for service, password in PASSWORDS.items():
        monkeypatch.setenv(f"{service.upper()}_DATABASE_PASSWORD", password)
    for _ in range(2):
        result = type_in("migrate")
        assert (result.exit_code, result.output) == (0, "The schemas are up to date.\n")


def test_a_missing_setting_is_named(
    type_in: Type, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing password could migrate the development database instead."""
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", database.owner_dsn)
    monkeypatch.setenv("EVENTS_DATABASE_PASSWORD", "secret")
    result = type_in("migrate")
    assert result.exit_code == 2
    assert result.output == (
        "boxoffice: ACCOUNTS_DATABASE_PASSWORD must be set\n"
        "boxoffice: BOOKINGS_DATABASE_PASSWORD must be set\n"
    )


def test_a_database_that_does_not_answer(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message could lack a remedy, or show the password."""
    monkeypatch.setenv("ACCOUNTS_DATABASE_URL", "postgresql://a:canary@127.0.0.1:1/none")
    monkeypatch.setattr("deploy.operator.database.OPEN_SECONDS", 0.2)
    result = type_in("ban", "ada@example.com")
    assert result.exit_code == 1
    assert "the database cannot be reached: start `boxoffice up` or `make run`" in result.output
    assert "canary" not in result.output


def test_a_database_that_does_not_answer_is_one_sentence() -> None:
    """The pool's warnings could hide the message."""
    unreachable = {"ACCOUNTS_DATABASE_URL": "postgresql://a:canary@127.0.0.1:1/none"}
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.operator", "ban", "ada@example.com"],
        env=os.environ | unreachable,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.stderr.splitlines() == [f"Error: {UnreachableError('accounts')}"]
    assert ended.stdout == ""
    assert ended.returncode == 1


def test_a_command_is_imported_when_it_is_called() -> None:
    """Looking at the status could wait for the imports of the load test, and of everything else."""
    program = (
        "import sys; from deploy.operator.__main__ import boxoffice;"
        "boxoffice(['status', '--help'], standalone_mode=False); print(*sys.modules, sep='\\n')"
    )
    command = [sys.executable, "-c", program]
    imported = subprocess.check_output(command, cwd=PROJECT, text=True, timeout=SECONDS)
    modules = {place.partition(":")[0] for place in COMMANDS.values()}
    assert modules & set(imported.splitlines()) == {"deploy.operator.status.commands"}


def test_a_misspelt_command_is_recognised(type_in: Type) -> None:
    """An operator could have to look up what a command is called."""
    assert "Did you mean 'status'?" in type_in("staus").output


def test_shows_its_version(type_in: Type) -> None:
    """A report of a defect could lack the version."""
    result = type_in("--version")
    assert result.exit_code == 0
    assert result.output == f"boxoffice, version {version('boxoffice-server')}\n"


def test_a_bad_setting_is_named_without_its_value(
    type_in: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback could hide the mistake, or the message show a password."""
    monkeypatch.setenv("ACCOUNTS_DATABASE_URL", "canary")
    result = type_in("ban", "ada@example.com")
    [line] = result.output.splitlines()
    assert line.startswith("boxoffice: ACCOUNTS_DATABASE_URL must be")
    assert result.exit_code == 2
    assert "canary" not in line


def test_a_misspelt_setting_is_refused(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command could change another database than its user means."""
    monkeypatch.setenv("BOXOFFICE_DATA_DIR", "/elsewhere")
    result = type_in("ban", "ada@example.com")
    assert result.exit_code == 2
    assert "BOXOFFICE_DATA_DIR is no setting; did you mean BOXOFFICE_DATA_DIRECTORY?" in (
        result.output
    )


def test_a_development_run_that_never_was(
    type_in: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command could create an empty development database."""
    monkeypatch.delenv("ACCOUNTS_DATABASE_URL")
    monkeypatch.setenv("BOXOFFICE_DATA_DIRECTORY", str(tmp_path / "none"))
    result = type_in("ban", "ada@example.com")
    assert "the database cannot be reached" in result.output
    assert not (tmp_path / "none").exists()


def test_the_installed_command_works_in_any_folder() -> None:
    """The command could work in the checkout's folder only."""
    command = [str(Path(sys.executable).with_name("boxoffice")), "--help"]
    finished = subprocess.run(
        command, cwd="/", capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert "rotate-keys" in finished.stdout
