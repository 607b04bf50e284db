"""The operator's commands for roles and bans."""

import pytest

from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.services.accounts.client import add_account, read

EMAIL = "Ada.Lovelace@example.com"


@pytest.fixture
def account(database: Database) -> str:
    """Adds an account of EMAIL; returns its id."""
    return add_account(database, email=EMAIL, canonical_email=EMAIL.lower())


def state(database: Database) -> tuple[object, ...]:
    """Reads the role, the generation, and whether there is a ban."""
    query = "SELECT role, generation, banned_at IS NOT NULL FROM accounts"
    [found] = read(database, query)
    return tuple(found)


@pytest.mark.parametrize("email", [EMAIL, EMAIL.lower(), f" {EMAIL.upper()} "])
def test_makes_an_admin(type_in: Type, database: Database, account: str, email: str) -> None:
    """The case of an address could matter, or a token keep its former role."""
    result = type_in("make-admin", email)
    assert result.exit_code == 0
    assert "is ADMIN, and was USER" in result.output
    assert state(database) == ("ADMIN", 2, False)


def test_making_an_admin_again_ends_no_tokens(
    type_in: Type, database: Database, account: str
) -> None:
    """A command that is typed twice could log the admin out."""
    type_in("make-admin", EMAIL)
    assert "is ADMIN, already" in type_in("make-admin", EMAIL).output
    assert state(database) == ("ADMIN", 2, False)


def test_takes_a_role_away(type_in: Type, database: Database, account: str) -> None:
    """A role could be given but not taken away."""
    assert type_in("set-role", EMAIL, "organizer").exit_code == 0
    assert type_in("set-role", EMAIL, "USER").exit_code == 0
    assert state(database) == ("USER", 3, False)


def test_bans_and_unbans(type_in: Type, database: Database, account: str) -> None:
    """A banned account could keep its tokens, or get them back."""
    assert type_in("ban", EMAIL).exit_code == type_in("ban", EMAIL).exit_code == 0
    assert state(database) == ("USER", 2, True)
    assert type_in("unban", EMAIL).exit_code == type_in("unban", EMAIL).exit_code == 0
    assert state(database) == ("USER", 2, False)


@pytest.mark.parametrize(
    "arguments",
    [("make-admin",), ("set-role", "USER"), ("ban",), ("unban",)],
)
def test_an_unknown_address_is_reported(type_in: Type, arguments: tuple[str, ...]) -> None:
    """A mistyped address could end in a traceback, or in success."""
    command, *others = arguments
    result = type_in(command, "nobody@example.com", *others)
    assert result.exit_code == 1
    assert result.output == "Error: no account has the address nobody@example.com\n"


def test_an_unknown_role_is_refused(type_in: Type, database: Database, account: str) -> None:
    """A mistyped role could be stored."""
    result = type_in("set-role", EMAIL, "OWNER")
    assert result.exit_code == 2
    assert "organizer" in result.output.lower()
    assert state(database) == ("USER", 1, False)
