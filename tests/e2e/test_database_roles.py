import httpx
import psycopg
import pytest

from tests.e2e.client import create_event, reserve
from tests.e2e.system import System


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("bookings", "SELECT * FROM events.events"),
        ("bookings", "UPDATE events.events SET total_seats = 0"),
        ("bookings", "CREATE TABLE bookings.mine (id integer)"),
        ("bookings", "DROP TABLE bookings.ledger"),
        ("events", "SELECT * FROM bookings.bookings"),
        ("events", "UPDATE bookings.inventory SET sold = 0"),
        ("events", "CREATE TABLE events.mine (id integer)"),
        ("events", "DROP TABLE events.events"),
        *(
            (service, statement.replace("{}", service))
            for service in ("accounts", "bookings", "events")
            for statement in (
                "UPDATE {}.audit_entries SET actor = 'somebody else'",
                "DELETE FROM {}.audit_entries",
                "TRUNCATE {}.audit_entries, {}.audit_outcomes",
                "UPDATE {}.audit_outcomes SET outcome = 'ok'",
                "DELETE FROM {}.audit_outcomes",
            )
        ),
    ],
)
def test_a_service_reaches_only_its_own_rows(
    client: httpx.Client, system: System, service: str, statement: str
) -> None:
    """A service could read the tables of another one, or change its schema or its audit log."""
    reserve(client, create_event(client)["id"])
    dsns = {
        "accounts": system.database.accounts_dsn,
        "bookings": system.database.bookings_dsn,
        "events": system.database.events_dsn,
    }
    with (
        psycopg.connect(dsns[service]) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())
