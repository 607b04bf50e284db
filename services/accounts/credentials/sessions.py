"""Sessions. Each has one valid refresh token, which is replaced whenever it is used.

A refresh token is the id of its session and a secret of 256 bits. The next secret is derived from
the current one and a random nonce. Only the digest of a secret and the nonce are stored, so nobody
can read a token from the database. A client that lost the response to a refresh can still get the
same token again, and two concurrent refreshes get the same one: a session never has two.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

import structlog
from psycopg.rows import class_row

from services.accounts.credentials.revocations import end_sessions, revoke
from services.accounts.users import users
from services.accounts.users.users import User
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import InvalidToken

SQL = queries.load(__file__)
LIFETIME = timedelta(days=30)
MOST_OF_ACCOUNT = 100
FORGOTTEN_AT_ONCE = 1_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """The id of a session and its current secret."""

    session_id: uuid.UUID
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses a token; raises InvalidToken if it has not the form of one."""
        try:
            raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise InvalidToken from error
        if len(raw) != 48:
            raise InvalidToken
        return cls(uuid.UUID(bytes=raw[:16]), raw[16:])

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(self.session_id.bytes + self.secret).decode()

    @property
    def sha256(self) -> bytes:
        """The digest that is stored."""
        return hashlib.sha256(self.secret).digest()

    def next(self, nonce: bytes) -> "RefreshToken":
        """Returns the token that replaces this one."""
        return RefreshToken(self.session_id, hmac.digest(self.secret, nonce, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class Session:
    """A user who is logged in, and the refresh token that continues the session."""

    user: User
    refresh_token: RefreshToken


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stored; `is_fresh` if it was refreshed within the last 10 seconds."""

    account_id: str
    current_sha256: bytes
    previous_sha256: bytes | None
    nonce: bytes | None
    is_fresh: bool | None


class Sessions:
    """Refreshes and ends sessions."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def refresh(self, text: str) -> Session:
        """Replaces a refresh token; raises InvalidToken for an invalid one.

        A token that was replaced before ends its session, because two parties have it. The
        exception is the previous token, which gets the same successor again for 10 seconds.
        """
        token = RefreshToken.parse(text)
        async with self._pool.connection() as connection, connection.transaction():
            successor, account_id = await self._replace(connection, token)
            user = await users.get(connection, account_id)
        if successor is None:
            log.warning("refresh token used twice", account_id=account_id)
            raise InvalidToken
        if user is None:
            raise InvalidToken
        return Session(user, successor)

    async def end(self, text: str) -> None:
        """Ends the session of a refresh token; does nothing for an invalid one."""
        try:
            token = RefreshToken.parse(text)
        except InvalidToken:
            return
        values = {"id": token.session_id, "sha256": token.sha256}
        async with self._pool.connection() as connection:
            await connection.execute(SQL["end_session"], values)

    async def end_all(self, account_id: str) -> None:
        """Ends all sessions of an account, and its access tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            await revoke(connection, account_id)
            await end_sessions(connection, account_id)

    async def forget(self) -> bool:
        """Deletes some expired sessions; returns whether there may be more."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["forget_sessions"], {"limit": FORGOTTEN_AT_ONCE})
            return deleted.rowcount == FORGOTTEN_AT_ONCE

    async def _replace(
        self, connection: Connection, token: RefreshToken
    ) -> tuple[RefreshToken | None, str]:
        """Returns the next token, under the lock of the session; None if that ends the session."""
        cursor = connection.cursor(row_factory=class_row(StoredSession))
        await cursor.execute(SQL["lock_session"], {"id": token.session_id})
        stored = await cursor.fetchone()
        if stored is None:
            raise InvalidToken
        if hmac.compare_digest(token.sha256, stored.current_sha256):
            return await _rotate(connection, token), stored.account_id
        was_last = hmac.compare_digest(token.sha256, stored.previous_sha256 or b"")
        if was_last and stored.is_fresh and stored.nonce is not None:
            return token.next(stored.nonce), stored.account_id
        await connection.execute(SQL["delete_session"], {"id": token.session_id})
        return None, stored.account_id


async def begin(connection: Connection, user: User) -> Session | None:
    """Begins a session within the caller's transaction; None if the user was revoked meanwhile.

    An account has at most MOST_OF_ACCOUNT sessions; the oldest ones end.
    """
    token = RefreshToken(uuid.uuid4(), secrets.token_bytes(32))
    values = {
        "id": token.session_id,
        "account_id": user.id,
        "generation": user.generation,
        "sha256": token.sha256,
        "lifetime": LIFETIME,
    }
    begun = await connection.execute(SQL["begin_session"], values)
    bound = {"account_id": user.id, "most": MOST_OF_ACCOUNT}
    await connection.execute(SQL["end_oldest_sessions"], bound)
    return Session(user, token) if begun.rowcount else None


async def _rotate(connection: Connection, token: RefreshToken) -> RefreshToken:
    nonce = secrets.token_bytes(32)
    successor = token.next(nonce)
    values = {
        "id": token.session_id,
        "previous_sha256": token.sha256,
        "current_sha256": successor.sha256,
        "nonce": nonce,
    }
    await connection.execute(SQL["rotate_session"], values)
    return successor
