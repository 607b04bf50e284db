"""Changes that operators make to accounts: roles and bans."""

from dataclasses import dataclass

from psycopg.rows import class_row

from services.accounts.credentials.revocations import end_sessions, revoke
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)


class AccountNotFoundError(LookupError):
    """No account has this address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"no account has the address {email}")


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as the operator sees it."""

    id: str
    role: str
    generation: int
    is_banned: bool


class Administration:
    """Changes accounts by address; case does not matter. Each method raises AccountNotFoundError.

    Each change that takes rights away ends the access tokens of the account.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, email: str) -> Account:
        """Finds the account with an address."""
        async with self._pool.connection() as connection:
            return await _lock(connection, email)

    async def set_role(self, email: str, role: str) -> Account:
        """Assigns a role to an account: USER, ORGANIZER or ADMIN."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await _lock(connection, email)
            if found.role != role:
                await connection.execute(SQL["set_role"], {"id": found.id, "role": role})
                await revoke(connection, found.id)
        return found

    async def ban(self, email: str) -> Account:
        """Bans an account: ends its sessions, and refuses its API keys until it is unbanned."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await _lock(connection, email)
            if not found.is_banned:
                await connection.execute(SQL["ban"], {"id": found.id})
                await revoke(connection, found.id)
                await end_sessions(connection, found.id)
        return found

    async def unban(self, email: str) -> Account:
        """Lifts a ban: the account may log in again, and its API keys work again."""
        async with self._pool.connection() as connection, connection.transaction():
            found = await _lock(connection, email)
            await connection.execute(SQL["unban"], {"id": found.id})
        return found


async def _lock(connection: Connection, email: str) -> Account:
    cursor = connection.cursor(row_factory=class_row(Account))
    values = {"canonical_email": email.strip().lower()}
    found = await (await cursor.execute(SQL["lock_account"], values)).fetchone()
    if found is None:
        raise AccountNotFoundError(email)
    return found
