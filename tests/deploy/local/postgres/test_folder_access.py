"""Files of the server end up where its user reaches them and nobody else can interfere."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import ForeignFolderError
from deploy.local.postgres.folder_access import (
    Account,
    home_for,
    private_folder,
    reachable,
    server_account,
)

OURSELVES = Account(os.geteuid(), os.getegid())
SOMEBODY = Account(os.geteuid() + 1, os.getegid() + 1)


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """Returns a path below a folder that is closed to others."""
    tmp_path.chmod(0o700)
    path = tmp_path / "postgres"
    yield path
    if path.is_symlink():
        shutil.rmtree(path.readlink())


def test_an_ordinary_user_keeps_files_in_the_checkout(closed: Path) -> None:
    """The files of an ordinary user could leave the checkout."""
    assert home_for(closed, OURSELVES) == closed
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_a_closed_folder_becomes_a_link(closed: Path) -> None:
    """Root's closed folders could keep the server from starting, or be opened for it."""
    home = home_for(closed, SOMEBODY)
    assert closed.readlink() == home
    assert reachable(home / "data", SOMEBODY)
    assert home_for(closed, SOMEBODY) == home
    assert stat.S_IMODE(closed.parent.stat().st_mode) == 0o700


def test_data_in_a_closed_folder_is_not_replaced(closed: Path) -> None:
    """A new, empty database could replace one that cannot be reached."""
    closed.mkdir()
    with pytest.raises(ForeignFolderError, match="no longer be reached"):
        home_for(closed, SOMEBODY)


def test_a_planted_link_is_refused(tmp_path: Path) -> None:
    """Another user could redirect the files by a link in a shared folder."""
    (tmp_path / "planted").symlink_to(tmp_path)
    with pytest.raises(ForeignFolderError, match="belongs to another user"):
        private_folder(tmp_path / "planted")


def test_a_planted_folder_is_refused(tmp_path: Path) -> None:
    """Another user could prepare the folder and read the files."""
    with pytest.raises(ForeignFolderError, match="belongs to another user"):
        private_folder(tmp_path, account=SOMEBODY)


def test_the_server_never_runs_as_root() -> None:
    """PostgreSQL would refuse to start."""
    assert server_account().uid != 0
