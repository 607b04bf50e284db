"""A plugin for pytest that puts PgBouncer before PostgreSQL: `make test-pgbouncer`."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.local.postgres.folder_access import server_account
from deploy.local.postgres.server import EmbeddedPostgres
from services.kit.database.migrations import set_role
from services.kit.database.postgres import role_settings
from services.migrate import SERVICES, role_of
from tests import citus
from tests.databases import PASSWORDS, POOLER_PORT
from tests.e2e.system import free_ports, until

PROGRAM = "pgbouncer"
# Each transaction gets another of the server's connections, where there is one.
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
server_round_robin = 1
default_pool_size = 24
max_client_conn = 1000
ignore_startup_parameters = options
"""


@pytest.fixture(scope="session")
def server_dsn(request: pytest.FixtureRequest) -> str:
    """Returns the DSN of the PostgreSQL of all tests, or of the user's Citus."""
    if citus.URL:
        return citus.URL
    postgres: EmbeddedPostgres = request.getfixturevalue("postgres")
    for service in SERVICES:
        set_role(postgres.dsn(), role_of(service), role_settings(service))
    return postgres.dsn()


@pytest.fixture(scope="session", autouse=True)
def pooler(server_dsn: str) -> Iterator[None]:
    """Starts PgBouncer in front of the PostgreSQL of all tests."""
    [port] = free_ports(1)
    account = server_account()
    with tempfile.TemporaryDirectory(prefix="boxoffice-pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        configuration = written(folder, server_dsn, port)
        log = folder / "log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                [PROGRAM, configuration],
                stdout=output,
                stderr=output,
                user=account.uid,
                group=account.gid,
            ) as process,
        ):
            until(lambda: answers(make_conninfo(server_dsn, host="127.0.0.1", port=port)))
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(POOLER_PORT, str(port))
                patch.setenv("BOXOFFICE_DATABASE_POOLED", "true")
                yield
            assert process.poll() is None, f"{PROGRAM} ended:\n{log.read_text()[-4_000:]}"
            process.terminate()


def written(folder: Path, server_dsn: str, listen_port: int) -> Path:
    """Writes the configuration; returns its path."""
    server = conninfo_to_dict(server_dsn)
    passwords = {role_of(service): password for service, password in PASSWORDS.items()}
    passwords[str(server["user"])] = str(server.get("password", ""))
    users = folder / "users.txt"
    users.write_text("".join(f'"{user}" "{password}"\n' for user, password in passwords.items()))
    configuration = folder / "pgbouncer.ini"
    values = {"host": server["host"], "port": server["port"], "users": users}
    configuration.write_text(CONFIGURATION.format(listen_port=listen_port, **values))
    return configuration


def answers(dsn: str) -> bool:
    """Returns whether a statement can be run."""
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
