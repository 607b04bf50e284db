"""Profiles: users view, change and delete their own accounts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.accounts.credentials.revocations import end_all, revoke
from services.accounts.outbox import notices, outbox
from services.accounts.users import users
from services.accounts.users.users import PersonalData, User
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import InvalidToken, ValidationFailed, Violation

NAMES = {"name", "firstname", "lastname"}
READ_ONLY = ("id", "email", "role", "email_verified")


class Profiles:
    """Gets, updates and deletes accounts for their owners."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, account_id: str) -> User:
        """Gets a user; raises InvalidToken if the account is gone and its token still lives."""
        async with self._pool.connection() as connection:
            user = await users.get(connection, account_id)
        if user is None:
            raise InvalidToken
        return user

    async def update(self, account_id: str, fields: Mapping[str, Any]) -> User:
        """Updates the fields given; None clears a field.

        Accepts a read-only field with its current value, so that clients can send back a whole
        profile. Raises ValidationFailed.
        """
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.lock(connection, account_id)
            if user is None:
                raise InvalidToken
            updated = await users.set_personal_data(connection, account_id, _updated(user, fields))
        if updated is None:
            raise InvalidToken
        return updated

    async def delete(self, account_id: str) -> None:
        """Erases the account's personal data; does nothing if that was done before.

        Keeps for a day, under the HMAC of the address, how often it was sent a code. Otherwise
        somebody could register and leave again and again to get more guesses.
        """
        async with self._pool.connection() as connection, connection.transaction():
            user = await users.lock(connection, account_id)
            if user is not None:
                await revoke(connection, account_id)
                await end_all(connection, account_id)
                await users.erase(connection, account_id)
                await outbox.delete_for_address(connection, user.canonical_email)
                await notices.delete_for_account(connection, account_id)


def _updated(user: User, fields: Mapping[str, Any]) -> PersonalData:
    found = [
        Violation(f"profile.{name}", "cannot change")
        for name in READ_ONLY
        if name in fields and fields[name] != getattr(user, name)
    ]
    current = PersonalData(user.name, user.firstname, user.lastname, user.country)
    given = {name: value for name, value in fields.items() if name not in READ_ONLY}
    updated = replace(current, **{name: _text(name, value) for name, value in given.items()})
    if NAMES & fields.keys() and not (updated.name or updated.firstname or updated.lastname):
        found.append(Violation("profile.name", "must not be null where there is no other name"))
    if found:
        raise ValidationFailed(violations=found)
    # A shown name that is sent back unchanged stays derived from first and last name.
    return (
        replace(updated, name="")
        if updated.name == user.display_name and not user.name
        else updated
    )


def _text(name: str, value: Any) -> Any:
    return value if name == "country" else value or ""
