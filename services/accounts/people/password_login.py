"""Logging in with a password."""

from services.accounts.credentials import sessions
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.sessions import LogIn
from services.accounts.errors import InvalidCredentials
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import User
from services.kit.database.postgres import Pool


class LogIns:
    """Checks passwords and begins log-ins."""

    def __init__(self, pool: Pool, passwords: Passwords) -> None:
        self._pool = pool
        self._passwords = passwords

    async def log_in(self, address: Address, password: str) -> LogIn:
        """Begins a log-in; raises InvalidCredentials, as slowly for an unknown address."""
        async with self._pool.connection() as connection:
            user = await users.find(connection, address)
        better = await self.check(user, password)
        if user is None:
            raise InvalidCredentials
        async with self._pool.connection() as connection, connection.transaction():
            log_in = await sessions.begin(connection, user)
            if better:
                await users.rehash(connection, user, better)
        if log_in is None:
            raise InvalidCredentials
        return log_in

    async def check(self, user: User | None, password: str) -> str | None:
        """Checks the password of a user, or of nobody; raises InvalidCredentials.

        Returns a better hash where the one that is stored should be replaced.
        """
        verdict = await self._passwords.check(password, user.password_hash if user else None)
        if not verdict.matches:
            raise InvalidCredentials
        return verdict.rehashed
