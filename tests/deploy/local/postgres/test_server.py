"""The embedded PostgreSQL starts anywhere, keeps its data, and is never left behind."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.errors import PostgresError, PostgresInUseError
from deploy.local.postgres.server import EmbeddedPostgres, temporary_postgres

SLEEP = shutil.which("sleep") or "sleep"
STOP_SECONDS = 20

PARENT = """
import sys
from pathlib import Path
from deploy.local.postgres.server import EmbeddedPostgres
sys.platform = sys.argv[2]
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""
KERNEL_WITHOUT_LEASH = "another"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns a folder for servers, closed to the user that they run as if we are root."""
    directory = tmp_path_factory.mktemp("server")
    yield directory
    EmbeddedPostgres(directory).remove()


@pytest.fixture
def parent(
    directory: Path, project: Path, request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[str]]:
    """Starts another process that runs the server of `directory` until its input is closed."""
    platform = getattr(request, "param", sys.platform)
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, directory, platform],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def server_of(parent: subprocess.Popen[str]) -> psutil.Process:
    """Waits until the parent's server is up and returns it."""
    assert parent.stdout is not None
    return psutil.Process(int(parent.stdout.readline()))


def socket_folder(server: EmbeddedPostgres) -> Path:
    """Returns the folder of the server's unix socket."""
    return Path(str(psycopg.conninfo.conninfo_to_dict(server.dsn())["host"]))


def test_keeps_data_over_a_restart(directory: Path) -> None:
    """Committed data could be lost by a restart."""
    server = EmbeddedPostgres(directory)
    with server, psycopg.connect(server.create_database("kept")) as connection:
        connection.execute("CREATE TABLE seats (id int)")
    with server, psycopg.connect(server.create_database("kept")) as connection:
        assert connection.execute("SELECT count(*) FROM seats").fetchone() == (0,)


def test_is_durable_unless_told_otherwise(directory: Path) -> None:
    """Development data could be lost by a crash of the machine."""
    names = ("fsync", "full_page_writes", "synchronous_commit")
    for durable, expected in ((True, "on"), (False, "off")):
        server = EmbeddedPostgres(directory, durable=durable)
        with server, psycopg.connect(server.dsn()) as connection:
            found = [connection.execute(f"SHOW {name}").fetchone() for name in names]
        assert found == [(expected,)] * 3


def test_databases_are_utf8_and_cloned_from_a_template() -> None:
    """A name of an event could be refused, or a test start with an empty database."""
    with temporary_postgres() as server:
        with psycopg.connect(server.create_database("prepared")) as connection:
            connection.execute("CREATE TABLE events AS SELECT 'Žižek ∞' AS name")
        with psycopg.connect(server.create_database("copy", template="prepared")) as connection:
            assert connection.execute("SELECT name FROM events").fetchone() == ("Žižek ∞",)
            assert connection.info.encoding == "utf-8"


def test_refuses_a_wrong_password() -> None:
    """A service could log in as another one over the unix socket."""
    with temporary_postgres() as server:
        wrong = psycopg.conninfo.make_conninfo(server.dsn(), password="guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_leaves_nothing_of_a_temporary_server() -> None:
    """A test run could leave processes, files or sockets behind."""
    with temporary_postgres() as server:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        data = Path(process.cwd())
        sockets = socket_folder(server)
        assert sockets.exists()
    assert not process.is_running()
    assert not data.exists()
    assert not sockets.exists()


def test_runs_below_a_long_path_and_on_a_port(directory: Path) -> None:
    """A long path could exceed the 107 bytes of a unix socket's name."""
    deep = directory / ("d" * 100) / ("e" * 100)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = EmbeddedPostgres(deep, durable=False, port=port)
    with server:
        over_tcp = psycopg.conninfo.make_conninfo(server.dsn(), host="127.0.0.1")
        with psycopg.connect(over_tcp) as connection:
            assert connection.info.port == port
    server.remove()


def test_files_are_closed_to_others(directory: Path) -> None:
    """Another user could read the data or the password."""
    with EmbeddedPostgres(directory, durable=False) as server:
        home = (directory / "postgres").resolve()
        sockets = socket_folder(server)
        for path in (home / "data", home / "password", home / "server.log", sockets):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert stat.S_IMODE(home.stat().st_mode) & 0o066 == 0


def test_a_second_start_names_the_first(directory: Path, parent: subprocess.Popen[str]) -> None:
    """Two runs could share one data folder."""
    server_of(parent)
    with pytest.raises(PostgresInUseError, match=str(parent.pid)):
        EmbeddedPostgres(directory).start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ends_with_its_parent(
    directory: Path, parent: subprocess.Popen[str], number: signal.Signals
) -> None:
    """A killed parent could leave its server behind."""
    server = server_of(parent)
    parent.send_signal(number)
    assert psutil.wait_procs([server], timeout=STOP_SECONDS)[1] == []


@pytest.mark.parametrize("parent", [KERNEL_WITHOUT_LEASH], indirect=True)
def test_starts_again_beside_an_orphan(directory: Path, parent: subprocess.Popen[str]) -> None:
    """A server that was left behind could block the next start."""
    orphan = server_of(parent)
    parent.kill()
    parent.wait()
    assert orphan.is_running()
    with EmbeddedPostgres(directory, durable=False) as server:
        assert server.pid != orphan.pid
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE


def test_starts_again_after_its_postmaster_was_killed(directory: Path) -> None:
    """Backends of a killed server could block the next start."""
    server = EmbeddedPostgres(directory, durable=False)
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        backend.suspend()
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        server.wait()
        server.stop()
        with server, psycopg.connect(server.dsn()) as again:
            assert again.execute("SELECT 1").fetchone() == (1,)


def test_ignores_a_number_that_passed_to_somebody_else(directory: Path) -> None:
    """A stale process id could block the start, or an innocent process be killed."""
    with EmbeddedPostgres(directory, durable=False) as server:
        pid_file = (directory / "postgres").resolve() / "data" / "postmaster.pid"
        content = pid_file.read_text().splitlines()
    with subprocess.Popen([SLEEP, "60"]) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *content[1:], ""]))
        with server:
            assert stranger.poll() is None
        stranger.kill()


def test_a_failed_start_says_why_and_can_be_tried_again(directory: Path) -> None:
    """A failed start could hide its reason, or keep the folder locked."""
    server = EmbeddedPostgres(directory, durable=False)
    with server:
        version = (directory / "postgres").resolve() / "data" / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(PostgresError, match="incompatible with server"):
        server.start()
    version.write_text(right)
    with server:
        assert server.pid is not None
