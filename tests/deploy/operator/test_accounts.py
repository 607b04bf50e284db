"""The operator decides what nobody may decide for themselves."""

import pytest

from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.services.accounts.client import add_account, read

EMAIL = "Ada.Lovelace@example.com"


@pytest.fixture
def account(database: Database) -> str:
    """Adds an account of EMAIL; gives its id."""
    return add_account(database, email=EMAIL, canonical_email=EMAIL.lower())


def state(database: Database) -> tuple[object, ...]:
    """Reads the role, the generation, and whether there is a ban."""
    query = "SELECT role, generation, banned_at IS NOT NULL FROM accounts"
    [found] = read(database, query)
    return tuple(found)


@pytest.mark.parametrize("email", [EMAIL, EMAIL.lower(), f" {EMAIL.upper()} "])
def test_makes_an_admin(type_in: Type, database: Database, account: str, email: str) -> None:
    """In whatever case the address is typed; tokens with the former role end."""
    result = type_in("make-admin", email)
    assert result.exit_code == 0
    assert "is ADMIN, and was USER" in result.output
    assert state(database) == ("ADMIN", 2, False)


def test_making_an_admin_again_ends_no_tokens(
    type_in: Type, database: Database, account: str
) -> None:
    """A command that was typed twice is harmless."""
    type_in("make-admin", EMAIL)
    assert "is ADMIN, already" in type_in("make-admin", EMAIL).output
    assert state(database) == ("ADMIN", 2, False)


def test_takes_a_role_away(type_in: Type, database: Database, account: str) -> None:
    """With the same word for all roles."""
    assert type_in("set-role", EMAIL, "organizer").exit_code == 0
    assert type_in("set-role", EMAIL, "USER").exit_code == 0
    assert state(database) == ("USER", 3, False)


def test_bans_and_takes_it_back(type_in: Type, database: Database, account: str) -> None:
    """The ban ends tokens, its end begins no new ones."""
    assert type_in("ban", EMAIL).exit_code == type_in("ban", EMAIL).exit_code == 0
    assert state(database) == ("USER", 2, True)
    assert type_in("unban", EMAIL).exit_code == type_in("unban", EMAIL).exit_code == 0
    assert state(database) == ("USER", 2, False)


@pytest.mark.parametrize(
    "arguments",
    [("make-admin",), ("set-role", "USER"), ("ban",), ("unban",)],
)
def test_says_whom_it_does_not_know(type_in: Type, arguments: tuple[str, ...]) -> None:
    """No traceback, and no success."""
    command, *others = arguments
    result = type_in(command, "nobody@example.com", *others)
    assert result.exit_code == 1
    assert result.output == "Error: no account has the address nobody@example.com\n"


def test_knows_no_other_role(type_in: Type, database: Database, account: str) -> None:
    """And says which there are."""
    result = type_in("set-role", EMAIL, "OWNER")
    assert result.exit_code == 2
    assert "organizer" in result.output.lower()
    assert state(database) == ("USER", 1, False)
