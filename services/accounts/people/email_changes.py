"""Changing an account's address, by a code that goes to the new one."""

import psycopg

from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.errors import EmailTaken
from services.accounts.outbox.outbox import Letter, forward, post
from services.accounts.people.password_login import LogIns
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import User
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import InvalidToken


class EmailChanges:
    """Changes addresses in two steps."""

    def __init__(self, pool: Pool, codes: Codes, log_ins: LogIns) -> None:
        self._pool = pool
        self._codes = codes
        self._log_ins = log_ins

    async def send_code(self, account_id: str, address: Address, password: str) -> User:
        """Sends a code to the new address, which need not be new; returns the user as they are.

        Whoever found an open window knows no password: raises InvalidCredentials, and RateLimited.
        """
        async with self._pool.connection() as connection:
            user = await users.get(connection, account_id)
        if user is None:
            raise InvalidToken
        await self._log_ins.check(user, password)
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.ask(connection, _challenge(account_id, address))
            await post(connection, Letter.CHANGE_EMAIL_CODE, address)
        return user

    async def change(self, account_id: str, address: Address, code: str) -> User:
        """Changes the address, and says so to the former one.

        Raises InvalidCode, and EmailTaken when another account has it.
        """
        challenge = _challenge(account_id, address)
        digest = await self._codes.check(challenge, code)
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await self._codes.spend(connection, challenge, digest)
                return await _change(connection, account_id, address)
        except psycopg.errors.UniqueViolation as error:
            if error.diag.constraint_name != "accounts_email_unique":
                raise
            raise EmailTaken from error


async def _change(connection: Connection, account_id: str, address: Address) -> User:
    former = await users.lock(connection, account_id)
    changed = await users.set_email(connection, account_id, address)
    if former is None or changed is None:
        raise InvalidToken
    if former.canonical_email != changed.canonical_email:
        await forward(connection, former.address, changed.address)
        await post(connection, Letter.EMAIL_CHANGED, former.address)
    return changed


def _challenge(account_id: str, address: Address) -> Challenge:
    return Challenge(address, Purpose.CHANGE_EMAIL, account_id)
