"""A user's own account: looking at it, changing it, leaving."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.accounts.credentials.revocations import end_all, revoke
from services.accounts.outbox import notices, outbox
from services.accounts.users import users
from services.accounts.users.users import Person, User
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import InvalidToken, ValidationFailed, Violation

NAMES = {"name", "firstname", "lastname"}
UNCHANGEABLE = ("id", "email", "role", "email_verified")


class Profiles:
    """Shows, changes and erases accounts for their owners."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, account_id: str) -> User:
        """Gets a user; raises InvalidToken for one whose account is gone, and whose token lives."""
        async with self._pool.connection() as connection:
            user = await users.get(connection, account_id)
        if user is None:
            raise InvalidToken
        return user

    async def update(self, account_id: str, fields: Mapping[str, Any]) -> User:
        """Changes what the fields name; None clears.

        What cannot change may be given as it is, so that what was shown can be sent back. Raises
        ValidationFailed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.lock(connection, account_id)
            if user is None:
                raise InvalidToken
            updated = await users.set_person(connection, account_id, _person(user, fields))
        if updated is None:
            raise InvalidToken
        return updated

    async def delete(self, account_id: str) -> None:
        """Erases the person; does nothing where that was done before.

        How often the address was sent a code is kept for its day, under its HMAC: whoever
        registers and leaves again would have as many guesses as they like.
        """
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.lock(connection, account_id)
            if user is not None:
                await revoke(connection, account_id)
                await end_all(connection, account_id)
                await users.erase(connection, account_id)
                await outbox.withdraw(connection, user.canonical_email)
                await notices.withdraw(connection, account_id)


def _person(user: User, fields: Mapping[str, Any]) -> Person:
    found = [
        Violation(f"profile.{name}", "cannot change")
        for name in UNCHANGEABLE
        if name in fields and fields[name] != getattr(user, name)
    ]
    known = Person(user.name, user.firstname, user.lastname, user.country)
    given = {name: value for name, value in fields.items() if name not in UNCHANGEABLE}
    person = replace(known, **{name: _text(name, value) for name, value in given.items()})
    if NAMES & fields.keys() and not (person.name or person.firstname or person.lastname):
        found.append(Violation("profile.name", "must not be null where there is no other name"))
    if found:
        raise ValidationFailed(violations=found)
    # Sent back as it was shown, the name is still made of the others.
    return replace(person, name="") if person.name == user.called and not user.name else person


def _text(name: str, value: Any) -> Any:
    return value if name == "country" else value or ""
