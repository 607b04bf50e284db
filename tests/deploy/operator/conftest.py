"""The operator's commands, on a database of their own."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from deploy.operator.__main__ import boxoffice
from tests.conftest import Database

Type = Callable[..., Result]


@pytest.fixture
def type_in(database: Database, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Returns a function that runs `boxoffice` with arguments, and `typed` as standard input."""
    monkeypatch.setenv("ACCOUNTS_DATABASE_URL", database.accounts_dsn)
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", database.bookings_dsn)

    def type_in(*arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(boxoffice, arguments, prog_name="boxoffice", input=typed)

    return type_in
