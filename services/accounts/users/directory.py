"""Finds accounts for other services."""

from services.accounts.errors import UserNotFound
from services.accounts.users import addresses, users
from services.kit.database.postgres import Pool


class Directory:
    """Finds accounts by their addresses."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, email: str) -> str:
        """Returns the id of the account with a verified address.

        Raises ValidationFailed, and UserNotFound if there is none.
        """
        async with self._pool.connection() as connection:
            user = await users.find(connection, addresses.parse(email))
        if user is None or not user.email_verified:
            raise UserNotFound
        return user.id
