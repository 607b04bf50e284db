"""Bookings can be distributed by event: nothing that decides needs rows of two events.

The catalog of PostgreSQL is compared with deploy/citus/placement.sql.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Database

PLACEMENT = Path("deploy/citus/placement.sql").read_bytes()
SERVICE = Path("services/bookings")
BOUND_TO_A_NODE = re.compile(r"\b(pg_notify|NOTIFY|LISTEN|pg\w*_advisory\w*)\b", re.IGNORECASE)

RULES = {
    "a table has no place": """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'bookings'::regnamespace AND relkind IN ('r', 'p')
            AND relname NOT IN (SELECT table_name FROM placement)
    """,
    "a place has no table": """
        SELECT table_name FROM placement
        WHERE to_regclass('bookings.' || quote_ident(table_name)) IS NULL
    """,
    "a unique key is not of one event": """
        SELECT indexrelid::regclass::text
        FROM pg_index
        JOIN placement ON indrelid = to_regclass('bookings.' || quote_ident(table_name))
        WHERE (indisunique OR indisexclusion)
            AND reason IS NULL
            AND NOT EXISTS (
                SELECT FROM pg_attribute
                WHERE attrelid = indrelid AND attnum = ANY (indkey[0:indnkeyatts - 1])
                    AND attname = 'event_id'
            )
    """,
    "a distributed table has no key": """
        SELECT table_name FROM placement
        WHERE reason IS NULL
            AND NOT EXISTS (
                SELECT FROM pg_constraint
                WHERE conrelid = to_regclass('bookings.' || quote_ident(table_name))
                    AND contype = 'p'
            )
    """,
    "a foreign key leaves its event": """
        SELECT conname
        FROM pg_constraint
        JOIN placement ON reason IS NULL
            AND to_regclass('bookings.' || quote_ident(table_name)) IN (conrelid, confrelid)
        WHERE contype = 'f'
            AND NOT EXISTS (
                SELECT
                FROM unnest(conkey, confkey) AS pair (own, other)
                JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = pair.own
                JOIN pg_attribute AS b ON b.attrelid = confrelid AND b.attnum = pair.other
                WHERE (a.attname, b.attname) = ('event_id', 'event_id')
            )
    """,
    "a trigger": """
        SELECT tgname FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid
        WHERE NOT tgisinternal AND relnamespace = 'bookings'::regnamespace
    """,
    "a function notifies or takes an advisory lock": """
        SELECT proname FROM pg_proc
        WHERE pronamespace = 'bookings'::regnamespace
            AND prosrc ~* '(pg_notify|\\mnotify\\M|advisory)'
    """,
    # `number` is the order of a list and of nothing else.
    "a sequence fills a column of a distributed table": """
        SELECT format('%s.%s', attrelid::regclass, attname)
        FROM pg_attribute
        JOIN placement ON attrelid = to_regclass('bookings.' || quote_ident(table_name))
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE reason IS NULL
            AND (attidentity <> '' OR pg_get_expr(adbin, adrelid) LIKE '%nextval%')
            AND (table_name, attname) <> ('payments', 'number')
    """,
}
PLANTED = {
    "a table has no place": "CREATE TABLE stray ()",
    "a place has no table": "DROP TABLE audits",
    "a unique key is not of one event": """
        CREATE TABLE planted (event_id bigint, id bigint, CONSTRAINT planted_pk PRIMARY KEY (id));
        INSERT INTO placement VALUES ('planted')
    """,
    "a distributed table has no key": "ALTER TABLE notices DROP CONSTRAINT notices_pk",
    "a foreign key leaves its event": """
        ALTER TABLE bookings ADD FOREIGN KEY (event_id) REFERENCES seat_plans
    """,
    "a trigger": """
        CREATE TRIGGER planted BEFORE UPDATE ON bookings
            EXECUTE FUNCTION suppress_redundant_updates_trigger()
    """,
    "a function notifies or takes an advisory lock": """
        CREATE FUNCTION planted() RETURNS void LANGUAGE sql
            AS 'SELECT pg_advisory_xact_lock(1)'
    """,
    "a sequence fills a column of a distributed table": """
        ALTER TABLE notices ADD COLUMN number bigserial
    """,
}


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """Yields a session with the table `placement`, and undoes all that the test does there."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings, pg_temp")
        connection.execute(PLACEMENT)
        yield connection
        connection.rollback()


def broken_rules(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Returns the rules that are broken, each with what breaks it."""
    found = {rule: connection.execute(query.encode()).fetchall() for rule, query in RULES.items()}
    return {rule: [name for (name,) in rows] for rule, rows in found.items() if rows}


def test_every_table_can_lie_with_its_event(owner: psycopg.Connection) -> None:
    """A migration would add a key that no cluster can check, and distributing would fail."""
    assert broken_rules(owner) == {}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_breaks_it(owner: psycopg.Connection, rule: str) -> None:
    """A rule that finds nothing would let every migration pass."""
    owner.execute(PLANTED[rule].encode())
    assert rule in broken_rules(owner)


def test_no_statement_relies_on_what_is_of_one_node() -> None:
    """A lock or a notification on one node would not reach those who use another one."""
    texts = {path: path.read_text() for path in sorted(SERVICE.glob("*/*.sql"))}
    assert [path for path, text in texts.items() if BOUND_TO_A_NODE.search(text)] == []
    assert BOUND_TO_A_NODE.search("SELECT pg_try_advisory_xact_lock(1)")
