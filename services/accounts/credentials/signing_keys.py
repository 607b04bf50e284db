"""The keys that sign access tokens, and their rotation."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.rows import class_row

from services.accounts.errors import DevelopmentKeyError, NoSigningKeyError
from services.accounts.identifiers import random_text
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)
DEVELOPMENT = "dev-"
PUBLISHED_BEFORE_USE = timedelta(minutes=10)
KEPT = timedelta(minutes=20)
"""How long a former key stays published: longer than the tokens that it signed live."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies tokens."""

    kid: str
    public_key: bytes

    @property
    def is_for_development(self) -> bool:
        """Whether the key was generated for development, so that anybody may have it."""
        return self.kid.startswith(DEVELOPMENT)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that signs tokens."""

    kid: str
    private_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewSigningKey:
    """A new key, and the time when it starts to sign."""

    kid: str
    signs_from: datetime


class SigningKeys:
    """Finds, makes and rotates signing keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def prepare(self, *, environment: str) -> None:
        """Ensures at start that there is a key to sign with.

        Outside production generates one if there is none. Raises NoSigningKeyError and
        DevelopmentKeyError.
        """
        found = await self.list_published()
        if environment != "production":
            if not found:
                await self._make(f"{DEVELOPMENT}{random_text(16)}", timedelta())
        elif not found:
            raise NoSigningKeyError
        elif any(key.is_for_development for key in found):
            raise DevelopmentKeyError

    async def list_published(self) -> Sequence[PublicKey]:
        """Lists the keys that verify tokens, in the order in which they start to sign."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(PublicKey))
            return await (await cursor.execute(SQL["list_published"], {"kept": KEPT})).fetchall()

    async def current(self) -> SigningKey:
        """Finds the key to sign with now; raises NoSigningKeyError."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(SigningKey))
            found = await (await cursor.execute(SQL["get_current"])).fetchone()
        if found is None:
            raise NoSigningKeyError
        return found

    async def rotate(self, *, lead: timedelta = PUBLISHED_BEFORE_USE) -> NewSigningKey:
        """Makes a key that starts to sign after `lead`; the very first key signs at once.

        It is published at once, so that all verifiers know it before it signs.
        """
        return await self._make(_new_kid(), lead)

    async def replace(self) -> NewSigningKey:
        """Makes a key that signs at once, and deletes all others, as they are compromised.

        The services refuse all earlier access tokens as soon as they know. Sessions go on, and
        their next refresh gives a new token.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(SQL["delete_keys"])
            return await _add(connection, _new_kid(), timedelta())

    async def forget(self) -> bool:
        """Deletes the keys that are no longer published; there are never many."""
        async with self._pool.connection() as connection:
            await connection.execute(SQL["forget_former"], {"kept": KEPT})
        return False

    async def _make(self, kid: str, lead: timedelta) -> NewSigningKey:
        async with self._pool.connection() as connection:
            return await _add(connection, kid, lead)


async def _add(connection: Connection, kid: str, lead: timedelta) -> NewSigningKey:
    private = Ed25519PrivateKey.generate()
    values = {
        "kid": kid,
        "private_key": private.private_bytes_raw(),
        "public_key": private.public_key().public_bytes_raw(),
        "lead": lead,
    }
    cursor = connection.cursor(row_factory=class_row(NewSigningKey))
    [made] = await (await cursor.execute(SQL["add_key"], values)).fetchall()
    return made


def _new_kid() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}-{random_text(8)}"
