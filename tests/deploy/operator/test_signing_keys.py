"""Signing keys are replaced by a command, and nothing has to be restarted."""

from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.services.accounts.client import read

PERIODS = "SELECT kid, signs_from <= now() FROM signing_keys ORDER BY signs_from"


def test_the_first_key_signs_at_once(type_in: Type, database: Database) -> None:
    """A new system could have no key for ten minutes."""
    result = type_in("rotate-keys")
    [(kid, signs)] = read(database, PERIODS)
    assert result.output == f"The key {kid} signs now.\n"
    assert signs


def test_the_next_key_signs_after_services_know_it(type_in: Type, database: Database) -> None:
    """A token could be signed with a key that services do not know yet."""
    type_in("rotate-keys")
    result = type_in("rotate-keys")
    [(former, signs), (kid, signs_yet)] = read(database, PERIODS)
    assert (signs, signs_yet) == (True, False)
    assert result.output.startswith(f"The key {kid} signs from ")
    assert former not in result.output


def test_only_the_first_key_is_made(type_in: Type, database: Database) -> None:
    """An installation that asks for a key at each upgrade could replace the one in use."""
    assert type_in("rotate-keys", "--first").output.endswith(" signs now.\n")
    before = read(database, PERIODS)
    assert type_in("rotate-keys", "--first").output == "There is a key already.\n"
    assert read(database, PERIODS) == before


def test_the_first_key_replaces_no_stolen_one(type_in: Type, database: Database) -> None:
    """A stolen key could stay in use because two options were given."""
    type_in("rotate-keys")
    result = type_in("rotate-keys", "--first", "--compromised")
    assert "exclude each other" in result.output
    assert (result.exit_code, len(read(database, PERIODS))) == (2, 1)


def test_compromised_keys_are_deleted(type_in: Type, database: Database) -> None:
    """A stolen key could go on signing valid tokens."""
    type_in("rotate-keys")
    type_in("rotate-keys")
    result = type_in("rotate-keys", "--compromised")
    [(kid, signs)] = read(database, PERIODS)
    assert result.output == f"The key {kid} signs now.\n"
    assert signs


def test_a_key_is_shown_by_its_name_only(type_in: Type, database: Database) -> None:
    """The command could print key material."""
    printed = type_in("rotate-keys").output + type_in("rotate-keys", "--compromised").output
    for (secret,) in read(database, "SELECT private_key FROM signing_keys"):
        assert secret.hex() not in printed
