"""The operator's commands for roles and bans."""

import getpass

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


def test_commands_are_in_the_audit_log(type_in: Type, database: Database, account: str) -> None:
    """An operator could make somebody an admin without a trace, or leave an address in the log."""
    type_in("set-role", EMAIL, "organizer")
    type_in("ban", EMAIL)
    query = """
        SELECT action, actor_kind, actor, target, outcome
        FROM audit_entries JOIN audit_outcomes ON entry_id = id
        ORDER BY id
    """
    operator = ("COMMAND", getpass.getuser(), f"account/{account}", "ok")
    assert read(database, query) == [
        ("boxoffice set-role ORGANIZER", *operator),
        ("boxoffice ban", *operator),
    ]


def test_makes_the_account_of_the_first_admin(type_in: Type, database: Database) -> None:
    """Without mail nobody could register, so there would be no admin."""
    result = type_in("make-admin", EMAIL, "--create", typed="a long pass phrase\n")
    assert (result.exit_code, result.output) == (0, f"{EMAIL} is ADMIN, and can log in.\n")
    query = "SELECT role, email_verified, canonical_email FROM accounts"
    assert read(database, query) == [("ADMIN", True, EMAIL.lower())]


@pytest.mark.parametrize(
    ("email", "typed", "message"),
    [
        (EMAIL, "short", "the password must have 8 to 128 characters"),
        (EMAIL, "password1", "password: is a very common password"),
        ("nowhere", "a long pass phrase", "email: "),
    ],
)
def test_makes_no_account_of_bad_input(
    type_in: Type, database: Database, email: str, typed: str, message: str
) -> None:
    """The first admin could have a password that is guessed, or an address that does not exist."""
    result = type_in("make-admin", email, "--create", typed=typed)
    assert result.exit_code == 1
    assert message in result.output
    assert read(database, "SELECT FROM accounts") == []


def test_does_not_take_an_account_over(type_in: Type, database: Database, account: str) -> None:
    """The account of somebody else could become an admin's, with a password of the operator's."""
    result = type_in("make-admin", EMAIL, "--create", typed="a long pass phrase")
    assert result.exit_code == 1
    assert f"{EMAIL} has an account: leave out --create" in result.output
    assert state(database)[0] == "USER"


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
