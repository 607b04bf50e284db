"""Password resets: sets a new password with a code from an e-mail."""

from services.accounts.credentials import sessions
from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.revocations import end_all
from services.accounts.credentials.sessions import Session
from services.accounts.errors import InvalidCode
from services.accounts.outbox.outbox import EmailKind, enqueue
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.kit.database.postgres import Pool


class PasswordResets:
    """Sends codes, and sets passwords with them."""

    def __init__(self, pool: Pool, codes: Codes, passwords: Passwords) -> None:
        self._pool = pool
        self._codes = codes
        self._passwords = passwords

    async def send_code(self, address: Address) -> None:
        """Sends a code to an address that has an account; raises RateLimited.

        Nothing is looked up here, so neither answer nor time reveals who has an account.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.request(connection, Challenge(address, Purpose.RESET))
            await enqueue(connection, EmailKind.RESET_CODE, address)

    async def reset(self, address: Address, code: str, password: str) -> Session:
        """Sets a password, ends all sessions, tokens and API keys, and begins a session.

        Raises ValidationFailed for a common password, and InvalidCode.
        """
        self._passwords.expect_uncommon(password, "new_password")
        challenge = Challenge(address, Purpose.RESET)
        digest = await self._codes.check(challenge, code)
        password_hash = await self._passwords.hash(password)
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.spend(connection, challenge, digest)
            user = await users.set_password(connection, address, password_hash)
            if user is None:
                raise InvalidCode
            await end_all(connection, user.id)
            session = await sessions.begin(connection, user)
            if session is None:
                raise InvalidCode
            await enqueue(connection, EmailKind.PASSWORD_CHANGED, user.address)
        return session
