"""Data is deleted only after a confirmation."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.postgres.server_folder import ServerFolder
from tests.deploy.runs import SECONDS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Returns a data directory that has a file."""
    tmp_path.chmod(0o711)
    home = ServerFolder(tmp_path).home
    (home / "kept").touch()
    return home / "kept"


def reset(directory: Path, stdin: int, **environment: str) -> subprocess.Popen[str]:
    """Starts the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.local.reset"],
        env=os.environ | {"BOXOFFICE_DATA_DIRECTORY": str(directory), **environment},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("answer", "code", "is_kept"), [("yes", 0, False), ("no", 1, True), ("", 1, True)]
)
def test_asks_at_a_terminal(
    tmp_path: Path, data: Path, answer: str, code: int, *, is_kept: bool
) -> None:
    """A command from the shell's history could delete the data."""
    ours, theirs = pty.openpty()
    process = reset(tmp_path, theirs)
    os.close(theirs)
    os.write(ours, f"{answer}\n".encode())
    said, _ = process.communicate(timeout=SECONDS)
    os.close(ours)
    assert f"This deletes all data of the development database in {tmp_path}" in said
    assert process.returncode == code
    assert data.exists() is is_kept


def test_without_a_terminal_nothing_is_deleted(tmp_path: Path, data: Path) -> None:
    """A script could delete the data, or wait for an answer for ever."""
    process = reset(tmp_path, subprocess.DEVNULL)
    said, _ = process.communicate(timeout=SECONDS)
    assert "FORCE=1 means yes" in said
    assert process.returncode == 1
    assert data.exists()


def test_force_does_not_ask(tmp_path: Path, data: Path) -> None:
    """A script with FORCE=1 could wait for an answer."""
    process = reset(tmp_path, subprocess.DEVNULL, FORCE="1")
    said, _ = process.communicate(timeout=SECONDS)
    assert "The development database is gone" in said
    assert process.returncode == 0
    assert not data.exists()
