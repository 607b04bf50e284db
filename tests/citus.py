"""A database of the tests in a Citus cluster, for `make test-citus`.

The cluster is the user's own: CITUS_URL names a database of its coordinator, in which the extension
and the workers are set up. Its name must end with "_test", for everything in it is replaced.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from services.kit.database.migrations import set_role
from services.migrate import SERVICES, migrate_all, role_of
from tests.databases import PASSWORDS, RESET, Database, pooler
from tests.pools import PATIENT

URL = os.environ.get("CITUS_URL", "")
SCRIPTS = [
    Path("deploy/citus", name) for name in ("placement.sql", "progress.sql", "distribute.sql")
]


def on_all_nodes(count: str) -> bytes:
    """Returns a query that counts on the nodes of the cluster, if there is one."""
    if not URL:
        return count.encode()
    nodes = f"SELECT sum(result::integer) FROM run_command_on_all_nodes($node${count}$node$)"
    return nodes.encode()


_HAS_ROWS = b"""
CREATE SCHEMA fresh;

CREATE FUNCTION fresh.has_rows(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %s)', name) INTO found;
    RETURN found;
END
$$;
"""


def reset_script() -> bytes:
    """Returns the statements that reset the database; rows on other nodes have no size here."""
    script = RESET.read_bytes().replace(b"CREATE SCHEMA fresh;", _HAS_ROWS)
    script = script.replace(b"pg_relation_size(oid) > 0", b"fresh.has_rows(name)")
    replica = b"SET session_replication_role = 'replica'"
    return script.replace(replica, replica + b"\nSET citus.multi_shard_modify_mode = 'sequential'")


@contextlib.contextmanager
def distributed() -> Iterator[Database]:
    """Yields a fresh database that is distributed by event."""
    database = migrated()
    distribute(database.owner_dsn)
    yield database


def migrated() -> Database:
    """Returns a fresh database on the coordinator, before it is distributed."""
    name = str(conninfo_to_dict(URL).get("dbname", ""))
    assert name.endswith("_test"), f"{name}, which CITUS_URL names, must end with _test"
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("DROP EVENT TRIGGER IF EXISTS note_change")
        connection.execute("DROP SCHEMA IF EXISTS fresh, accounts, events, bookings CASCADE")
    migrate_all(URL, PASSWORDS, pooled=bool(pooler()))
    for service in SERVICES:
        # The nodes may share the processors of the tests.
        set_role(URL, role_of(service), PATIENT)
    roles = {
        service: make_conninfo(
            URL, user=f"boxoffice_{service}", password=PASSWORDS[service], **pooler()
        )
        for service in SERVICES
    }
    return Database(URL, roles["events"], roles["bookings"], roles["accounts"])


def distribute(dsn: str) -> None:
    """Distributes a database; one that is no cluster is only prepared for it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for script in SCRIPTS if URL else SCRIPTS[:2]:
            connection.execute(script.read_bytes(), prepare=False)
