"""Runs the embedded PostgreSQL as a child of this process that never outlives it."""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.parse import urlencode

import psutil
import psycopg
from psycopg import sql

from deploy.local.errors import PostgresError
from deploy.local.parent_death import end_with_parent
from deploy.local.postgres.binaries import wheel_binaries
from deploy.local.postgres.disk_space import full_disk
from deploy.local.postgres.orphans import stop_process
from deploy.local.postgres.server_folder import ServerFolder

_SUPERUSER = "postgres"
_START_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.25

_SETTINGS = {
    "cluster_name": "boxoffice",
    "log_timezone": "UTC",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
}
_FAST_SETTINGS = {
    "autovacuum": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@contextlib.contextmanager
def temporary_postgres(*, binaries: Path | None = None) -> Iterator["EmbeddedPostgres"]:
    """Runs a fast server without crash safety, for tests, and removes its files at the end."""
    with tempfile.TemporaryDirectory(prefix="boxoffice-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        server = EmbeddedPostgres(directory, durable=False, binaries=binaries)
        try:
            with server:
                yield server
        finally:
            server.remove()


class EmbeddedPostgres:
    """A PostgreSQL server whose files live in `directory/postgres`.

    `binaries` is a folder with the programs to use in place of those of the wheel.
    `durable=False` gives up crash safety for speed: for tests, never for data or benchmarks.
    It listens on a unix socket and, with `port`, on that TCP port of 127.0.0.1 too. Start it from
    the main thread: the server ends when the thread that started it does.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        port: int | None = None,
        binaries: Path | None = None,
    ) -> None:
        self._folder = ServerFolder(directory)
        self._binaries = binaries
        self._durable = durable
        self._port = port
        self._lock: IO[str] | None = None
        self._process: psutil.Popen | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and returns when it accepts connections.

        Raises `PostgresInUseError` when another process runs this server, `PostgresError` when it
        does not come up in time.
        """
        self._lock = self._folder.lock()
        try:
            self._folder.open_sockets()
            binaries = self._binaries or wheel_binaries(self._folder.account, self._folder.home)
            if not self._folder.data.exists():
                self._initialise(binaries)
            self._process = self._launch(binaries)
            self._wait_until_ready(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self, *, force: bool = False) -> None:
        """Disconnects all clients and ends the server; `force` skips the orderly shutdown."""
        if self._process is not None:
            softer = () if force else (signal.SIGINT,)
            stop_process(self._process, *softer, signal.SIGQUIT, signal.SIGKILL)
            self._process = None
        if self._lock is not None:
            self._folder.close_sockets()
            self._lock.close()
            self._lock = None

    def wait(self) -> None:
        """Blocks until the server ends."""
        if self._process is not None:
            self._process.wait()

    def remove(self) -> None:
        """Deletes the stopped server's files, data included."""
        self._folder.remove()

    def dsn(self, database: str = "postgres") -> str:
        """Returns the superuser's connection string, over the unix socket."""
        where = urlencode({"host": self._folder.sockets, "port": self._socket_number})
        return f"postgresql://{_SUPERUSER}:{self._folder.password()}@/{database}?{where}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Creates the database from `template` unless it exists, and returns its DSN."""
        exists = "SELECT 1 FROM pg_database WHERE datname = %s"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            if connection.execute(exists, [name]).fetchone() is None:
                connection.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return self.dsn(name)

    def failure_reason(self) -> str:
        """Returns why the server ended: that the disk is full, or the last lines of its log."""
        tail = self._folder.log_tail()
        return full_disk(self._folder.home, tail) or f"its log ends with\n{tail}"

    @property
    def pid(self) -> int | None:
        """The number of the server's process, while it is started."""
        return self._process.pid if self._process else None

    @property
    def _socket_number(self) -> int:
        return self._port or 5432

    def _initialise(self, binaries: Path) -> None:
        with self._folder.new_password() as password_file, self._folder.new_data() as data:
            initdb = [
                binaries / "initdb",
                f"--pgdata={data}",
                f"--pwfile={password_file}",
                f"--username={_SUPERUSER}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                *(() if self._durable else ("--no-sync", "--set=scram_iterations=1")),
            ]
            if self._spawn(initdb).wait() != 0:
                raise PostgresError(
                    f"PostgreSQL could not create its data folder: {self.failure_reason()}"
                )

    def _launch(self, binaries: Path) -> psutil.Popen:
        settings = {
            **_SETTINGS,
            **({} if self._durable else _FAST_SETTINGS),
            "listen_addresses": "127.0.0.1" if self._port else "",
            "port": str(self._socket_number),
            "unix_socket_directories": str(self._folder.sockets),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return self._spawn([binaries / "postgres", "-D", self._folder.data, *options])

    def _spawn(self, command: list[str | Path]) -> psutil.Popen:
        """Runs a program of PostgreSQL as the server's user, in a session of its own.

        Ctrl-C in the terminal does not reach it.
        """
        account = self._folder.account
        identity: dict[str, Any] = {}
        if account.uid != os.geteuid():
            identity = {"user": account.uid, "group": account.gid, "extra_groups": []}
        with self._folder.new_log() as log:
            return psutil.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder.home,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGINT),
                **identity,
            )

    def _wait_until_ready(self, process: psutil.Popen) -> None:
        deadline = time.monotonic() + _START_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while not self._accepts_connections():
            if _ended_within(pause, process) or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start: {self.failure_reason()}")
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _accepts_connections(self) -> bool:
        try:
            psycopg.connect(self.dsn(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _ended_within(seconds: float, process: psutil.Popen) -> bool:
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return False
    return True
