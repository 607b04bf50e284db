"""The files of one embedded PostgreSQL: their places, their owner and the lock on them."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from deploy.local.errors import PostgresInUseError
from deploy.local.postgres.folder_access import home_for, private_folder, server_account, short_name
from deploy.local.postgres.orphans import end_orphans

_SOCKETS = Path("/tmp")  # noqa: S108  (a short path; the folder made in it is checked and closed)
_LOG_TAIL_LINES = 20


class ServerFolder:
    """The folder `directory/postgres`, or the one it links to where the server cannot reach it."""

    def __init__(self, directory: Path) -> None:
        self.account = server_account()
        self._entry = directory.absolute() / "postgres"
        self.home = home_for(self._entry, self.account)
        self.data = self.home / "data"
        self.log = self.home / "server.log"
        self.sockets = _SOCKETS / short_name(self.home)
        self._password = self.home / "password"

    def lock(self) -> IO[str]:
        """Locks the folder until the returned file is closed or this process dies.

        Ends the processes of a killed run that still use the folder. Raises
        `PostgresInUseError` while a live process has the lock.
        """
        lock = (self.home / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise PostgresInUseError(
                f"Boxoffice already runs from this folder, as process {_holder(lock)}"
            ) from exc
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        end_orphans(self.data)
        return lock

    def open_sockets(self) -> None:
        """Makes the folder for the unix socket, closed to other users."""
        private_folder(self.sockets, account=self.account)

    def close_sockets(self) -> None:
        """Removes the folder of the unix socket."""
        shutil.rmtree(self.sockets, ignore_errors=True)

    @contextlib.contextmanager
    def new_data(self) -> Iterator[Path]:
        """Yields an empty folder for new data, and renames it to `data` when the block succeeds."""
        unfinished = self.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        yield private_folder(unfinished, account=self.account)
        unfinished.rename(self.data)

    def password(self) -> str:
        """Returns the superuser's password."""
        return self._password.read_text()

    @contextlib.contextmanager
    def new_password(self) -> Iterator[Path]:
        """Chooses a password, and yields a file with it that the server's user can read."""
        shown = self.sockets / "password"
        _write_secret(self._password, secrets.token_hex(32))
        try:
            _write_secret(shown, self.password())
            os.chown(shown, self.account.uid, self.account.gid)
            yield shown
        finally:
            shown.unlink(missing_ok=True)

    def new_log(self) -> IO[bytes]:
        """Opens an empty log, closed to other users: failed statements show their values."""
        self.log.touch(mode=0o600)
        return self.log.open("wb")

    def log_tail(self) -> str:
        """Returns the last lines that PostgreSQL logged since its start."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def remove(self) -> None:
        """Deletes everything, data included. Raises `PostgresInUseError` while the server runs."""
        with self.lock():
            self.close_sockets()
            shutil.rmtree(self.home)
            self._entry.unlink(missing_ok=True)


def _holder(lock: IO[str]) -> str:
    with lock:
        lock.seek(0)
        return lock.read()


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)
