"""Changes of an account's address, with a code that is sent to the new one."""

import psycopg

from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.errors import EmailTaken
from services.accounts.outbox.outbox import EmailKind, enqueue, redirect
from services.accounts.people.password_login import PasswordLogin
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import User
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import InvalidToken


class EmailChanges:
    """Changes addresses in two steps."""

    def __init__(self, pool: Pool, codes: Codes, password_login: PasswordLogin) -> None:
        self._pool = pool
        self._codes = codes
        self._log_ins = password_login

    async def send_code(self, account_id: str, address: Address, password: str) -> User:
        """Sends a code to the new address, which may be the current one; returns the user.

        Asks for the password, in case somebody else uses an open session. Raises
        InvalidCredentials and RateLimited.
        """
        async with self._pool.connection() as connection:
            user = await users.get(connection, account_id)
        if user is None:
            raise InvalidToken
        await self._log_ins.check(user, password)
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.request(connection, _challenge(account_id, address))
            await enqueue(connection, EmailKind.CHANGE_EMAIL_CODE, address)
        return user

    async def change(self, account_id: str, address: Address, code: str) -> User:
        """Changes the address, and notifies the former one.

        Raises InvalidCode, and EmailTaken if another account has the address.
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
        await redirect(connection, former.address, changed.address)
        await enqueue(connection, EmailKind.EMAIL_CHANGED, former.address)
    return changed


def _challenge(account_id: str, address: Address) -> Challenge:
    return Challenge(address, Purpose.CHANGE_EMAIL, account_id)
