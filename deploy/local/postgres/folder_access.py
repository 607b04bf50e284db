"""Finds the user that PostgreSQL runs as, and folders that this user can reach.

PostgreSQL refuses to run as root, and root's own folders are closed to other users.
"""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import ForeignFolderError

_PREFERRED_ACCOUNTS = ("nobody", "daemon")
_REACHABLE_BY_ALL = Path("/var/tmp")  # noqa: S108  (kept over a restart; ownership is checked)


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the operating system."""

    uid: int
    gid: int


def server_account() -> Account:
    """Returns the current user or, for root, a user without privileges."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    entries = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    chosen = next((entries[name] for name in _PREFERRED_ACCOUNTS if name in entries), None)
    entry = chosen or next(iter(entries.values()))
    return Account(entry.pw_uid, entry.pw_gid)


def reachable(path: Path, account: Account) -> bool:
    """Returns whether the permissions of its parents let `account` reach `path`."""
    if account.uid == os.geteuid():
        return True
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def home_for(path: Path, account: Account) -> Path:
    """Creates and returns the folder for the server's files: `path`, if `account` can reach it.

    Otherwise it is a folder below /var/tmp, and `path` becomes a link to it. Raises
    ForeignFolderError for an existing folder that cannot be used.
    """
    path = path.absolute()
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    if path.is_symlink() or not reachable(path, account):
        return _linked_folder(path)
    return private_folder(path, mode=0o700 if account.uid == os.geteuid() else 0o711)


def private_folder(path: Path, *, mode: int = 0o700, account: Account | None = None) -> Path:
    """Creates `path`, or returns it if it is a folder of `account`, by default of this user.

    Raises ForeignFolderError for a link and for a folder of another user.
    """
    owner = account.uid if account else os.geteuid()
    if not os.path.lexists(path):
        path.mkdir(mode=0o700)
        if account and owner != os.geteuid():
            os.chown(path, account.uid, account.gid)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise ForeignFolderError(
            f"{path} belongs to another user: remove it, or ask its owner to do so"
        )
    path.chmod(mode)
    return path


def short_name(path: Path) -> str:
    """Names a folder after `path`, short enough for a unix socket's path."""
    return f"boxoffice-{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}"


def _linked_folder(path: Path) -> Path:
    if path.is_dir() and not path.is_symlink():
        raise ForeignFolderError(
            f"{path} can no longer be reached by the user that PostgreSQL runs as: move it"
        )
    target = private_folder(_REACHABLE_BY_ALL / short_name(path), mode=0o711)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return target
