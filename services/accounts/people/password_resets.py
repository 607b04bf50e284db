"""Setting a new password when the old one is forgotten."""

from services.accounts.credentials import sessions
from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.revocations import end_all
from services.accounts.credentials.sessions import LogIn
from services.accounts.errors import InvalidCode
from services.accounts.outbox.outbox import Letter, post
from services.accounts.users import users
from services.accounts.users.addresses import Address
from services.kit.database.postgres import Pool


class PasswordResets:
    """Sets passwords by mailed codes."""

    def __init__(self, pool: Pool, codes: Codes, passwords: Passwords) -> None:
        self._pool = pool
        self._codes = codes
        self._passwords = passwords

    async def send_code(self, address: Address) -> None:
        """Sends a code to whoever has an account; raises RateLimited.

        Nothing is looked up here, so there is nothing to tell who has one.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await self._codes.ask(connection, Challenge(address, Purpose.RESET))
            await post(connection, Letter.RESET_CODE, address)

    async def reset(self, address: Address, code: str, password: str) -> LogIn:
        """Sets a password, ends whatever was issued before, and logs in.

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
            log_in = await sessions.begin(connection, user)
            if log_in is None:
                raise InvalidCode
            await post(connection, Letter.PASSWORD_CHANGED, user.address)
        return log_in
