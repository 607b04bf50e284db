"""Log-ins. Each has one refresh token that is good; it is replaced whenever it is used.

A refresh token is the id of its log-in and a secret of 256 bits. The secret that follows another is
made of that one and a random nonce. Only its digest and the nonce are stored, so the database gives
nobody a token, while whoever lost the answer to a refresh can be given the same one again: two who
refresh at once get the same token, and the log-in never has two.
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
    """A log-in's id and the secret that is good for it now."""

    session_id: uuid.UUID
    secret: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a token; raises InvalidToken for what was never one."""
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
        """What is stored of it."""
        return hashlib.sha256(self.secret).digest()

    def following(self, nonce: bytes) -> "RefreshToken":
        """Gives the token that replaces this one."""
        return RefreshToken(self.session_id, hmac.digest(self.secret, nonce, hashlib.sha256))


@dataclass(frozen=True, slots=True)
class LogIn:
    """A user who is logged in, and the refresh token to stay so."""

    user: User
    refresh_token: RefreshToken


@dataclass(frozen=True, slots=True)
class Held:
    """A log-in as stored; `is_fresh` tells that its last rotation was within 10 seconds."""

    account_id: str
    current_sha256: bytes
    previous_sha256: bytes | None
    nonce: bytes | None
    is_fresh: bool | None


class Sessions:
    """Continues and ends log-ins."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def refresh(self, text: str) -> LogIn:
        """Replaces a refresh token; raises InvalidToken for one that is not good.

        One that was replaced before ends its log-in: it is in two hands. The exception is the last
        one, for 10 seconds, which is given its successor again.
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
        return LogIn(user, successor)

    async def end(self, text: str) -> None:
        """Ends the log-in that a refresh token belongs to, if it is one."""
        try:
            token = RefreshToken.parse(text)
        except InvalidToken:
            return
        values = {"id": token.session_id, "sha256": token.sha256}
        async with self._pool.connection() as connection:
            await connection.execute(SQL["end_session"], values)

    async def end_all(self, account_id: str) -> None:
        """Ends every log-in of an account, and its access tokens."""
        async with self._pool.connection() as connection, connection.transaction():
            await revoke(connection, account_id)
            await end_sessions(connection, account_id)

    async def forget(self) -> bool:
        """Deletes some that have expired; tells whether there may be more."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["forget_sessions"], {"limit": FORGOTTEN_AT_ONCE})
            return deleted.rowcount == FORGOTTEN_AT_ONCE

    async def _replace(
        self, connection: Connection, token: RefreshToken
    ) -> tuple[RefreshToken | None, str]:
        """Finds the token that follows, under the lock of the log-in; None when that ended."""
        cursor = connection.cursor(row_factory=class_row(Held))
        await cursor.execute(SQL["lock_session"], {"id": token.session_id})
        held = await cursor.fetchone()
        if held is None:
            raise InvalidToken
        if hmac.compare_digest(token.sha256, held.current_sha256):
            return await _rotate(connection, token), held.account_id
        was_last = hmac.compare_digest(token.sha256, held.previous_sha256 or b"")
        if was_last and held.is_fresh and held.nonce is not None:
            return token.following(held.nonce), held.account_id
        await connection.execute(SQL["delete_session"], {"id": token.session_id})
        return None, held.account_id


async def begin(connection: Connection, user: User) -> LogIn | None:
    """Begins a log-in within the caller's transaction; None when the user's tokens ended since.

    An account has a bounded number of them; the oldest ones end.
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
    return LogIn(user, token) if begun.rowcount else None


async def _rotate(connection: Connection, token: RefreshToken) -> RefreshToken:
    nonce = secrets.token_bytes(32)
    successor = token.following(nonce)
    values = {
        "id": token.session_id,
        "previous_sha256": token.sha256,
        "current_sha256": successor.sha256,
        "nonce": nonce,
    }
    await connection.execute(SQL["rotate_session"], values)
    return successor
