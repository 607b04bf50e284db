"""The keys of tickets are replaced by a command, and nothing has to be restarted."""

import psycopg

from tests.conftest import Database
from tests.deploy.operator.conftest import Type


def signing(database: Database) -> list[bool]:
    """Lists whether the keys of tickets sign already, in the order in which they start to."""
    with psycopg.connect(database.owner_dsn) as connection:
        asked = "SELECT signs_from <= now() FROM bookings.ticket_keys ORDER BY signs_from"
        return [signs for (signs,) in connection.execute(asked).fetchall()]


def test_the_next_key_signs_after_scanners_know_it(type_in: Type, database: Database) -> None:
    """A scanner without a network could take fresh tickets for forged ones."""
    assert type_in("rotate-ticket-keys").exit_code == 0
    assert type_in("rotate-ticket-keys").exit_code == 0
    assert signing(database) == [True, False]


def test_compromised_keys_are_deleted(type_in: Type, database: Database) -> None:
    """A stolen key could go on signing tickets."""
    type_in("rotate-ticket-keys")
    assert type_in("rotate-ticket-keys", "--compromised").exit_code == 0
    assert signing(database) == [True]
