"""PostgreSQL's programs are found where its user can run them, in the wheel or in the system."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres.binaries import _copy, system_binaries, wheel_binaries
from deploy.local.postgres.folder_access import Account
from tests.deploy.runs import SECONDS, Start

OURSELVES = Account(os.geteuid(), os.getegid())
NEW = "postgres (PostgreSQL) 17.10 (Debian 17.10-1)"


@pytest.fixture
def system() -> Iterator[Path]:
    """Returns a folder that is open to the server's user, for programs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def install(
    folder: Path, *, version: str, programs: tuple[str, ...] = ("initdb", "postgres")
) -> None:
    """Creates programs that print this version and fail at everything else."""
    for program in programs:
        path = folder / program
        tells = f"""[ "$1" = --version ] && echo '{version}' && exit"""
        path.write_text(f"#!/bin/sh\n{tells}\necho '{program} of the system'\nexit 1\n")
        path.chmod(0o755)


def test_the_wheel_is_copied_once_for_each_version(tmp_path: Path) -> None:
    """A closed installation would keep the server from starting, old copies would fill the disk."""
    (tmp_path / "binaries-0.6.0").mkdir()
    installed = wheel_binaries(OURSELVES, tmp_path)
    copied = _copy(installed, tmp_path) / installed.relative_to(installed.parents[2])
    assert (copied / "postgres").read_bytes() == (installed / "postgres").read_bytes()
    assert (copied.parent / "share").stat().st_mode & 0o005 == 0o005
    assert [path.name for path in tmp_path.iterdir()] == [copied.parents[2].name]
    changed = (copied / "postgres").stat().st_ctime_ns
    _copy(installed, tmp_path)
    assert (copied / "postgres").stat().st_ctime_ns == changed


def test_a_folder_of_the_system(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path could fail, since the server starts in another folder."""
    install(system, version=NEW)
    monkeypatch.chdir(system.parent)
    assert system_binaries(Path(system.name)) == system


@pytest.mark.parametrize(
    ("version", "programs", "problem"),
    [
        (NEW, (), "it has no initdb"),
        (NEW, ("initdb",), "it has no postgres"),
        ("postgres (PostgreSQL) 16.9", ("initdb", "postgres"), "this is 16.9"),
        ("mysqld 9.0", ("initdb", "postgres"), "its postgres calls itself 'mysqld 9.0'"),
    ],
)
def test_a_folder_that_cannot_be_used(
    system: Path, version: str, programs: tuple[str, ...], problem: str
) -> None:
    """An unusable folder could be noticed half a minute later, by a misleading message."""
    install(system, version=version, programs=programs)
    with pytest.raises(ValueError, match=f"PostgreSQL 17 or later, and {problem}"):
        system_binaries(system)


def test_a_program_that_does_not_run(system: Path) -> None:
    """A build for another processor could fail later, without a reason."""
    install(system, version=NEW)
    (system / "postgres").write_text("#!/nowhere")
    with pytest.raises(ValueError, match="its postgres does not run"):
        system_binaries(system)


def test_commands_use_the_setting(start: Start, system: Path, data: Path) -> None:
    """A setting that no command passes on would leave the wheel in use."""
    install(system, version=NEW)
    run = start("deploy.local.migrate", BOXOFFICE_POSTGRES_BIN=str(system))
    said, _ = run.communicate(timeout=SECONDS)
    assert "initdb of the system" in said
    install(system, version="postgres (PostgreSQL) 15.1")
    run = start("deploy.local.migrate", BOXOFFICE_POSTGRES_BIN=str(system))
    said, _ = run.communicate(timeout=SECONDS)
    assert said.startswith(f"Boxoffice: BOXOFFICE_POSTGRES_BIN={system} must be a folder with ")
    assert run.returncode == 2
