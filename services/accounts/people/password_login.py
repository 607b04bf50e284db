"""Logs in with a password."""

from services.accounts.credentials import sessions
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.sessions import Session
from services.accounts.errors import InvalidCredentials
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.accounts.users.users import User
from services.kit.database.postgres import Pool


class PasswordLogin:
    """Checks passwords and begins sessions."""

    def __init__(self, pool: Pool, passwords: Passwords) -> None:
        self._pool = pool
        self._passwords = passwords

    async def log_in(self, address: Address, password: str) -> Session:
        """Begins a session; raises InvalidCredentials, as slowly for an unknown address."""
        async with self._pool.connection() as connection:
            user = await users.find(connection, address)
        rehashed = await self.check(user, password)
        if user is None:
            raise InvalidCredentials
        async with self._pool.connection() as connection, connection.transaction():
            session = await sessions.begin(connection, user)
            if rehashed:
                await users.rehash(connection, user, rehashed)
        if session is None:
            raise InvalidCredentials
        return session

    async def check(self, user: User | None, password: str) -> str | None:
        """Checks the password of a user; raises InvalidCredentials, also for no user.

        Returns a stronger hash if the stored one should be replaced.
        """
        result = await self._passwords.check(password, user.password_hash if user else None)
        if not result.matches:
            raise InvalidCredentials
        return result.rehashed
