"""API keys: programs act with them for an account, within scopes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from psycopg.rows import class_row

from services.accounts.errors import ApiKeyNotFound
from services.accounts.identifiers import random_text
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import InvalidToken, PermissionDenied, ValidationFailed, Violation
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)
ANY_USER = "BOOKINGS_ANY_USER"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ResolvedApiKey:
    """The account that a key acts for, its role, and the scopes of the key."""

    account_id: str
    role: str
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class ApiKeySpec:
    """Name, scopes and expiry of a key to create; without `expires_at` it never expires."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it; the keys of an account are ordered by `number`."""

    number: int
    id: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedApiKey:
    """A key that was just created, with the secret that cannot be shown again."""

    api_key: ApiKey
    secret: str = field(repr=False)


class ApiKeys:
    """Creates, lists, deletes and resolves API keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, account_id: str, generation: int, spec: ApiKeySpec) -> CreatedApiKey:
        """Creates a key for an account; `generation` is that of the caller's token.

        Raises InvalidToken for a token that was just revoked, since the key would outlive it.
        Raises PermissionDenied for a scope that the account may not grant, and ValidationFailed
        for an expiry in the past.
        """
        if spec.expires_at and spec.expires_at <= datetime.now(UTC):
            raise ValidationFailed(violations=[Violation("expires_at", "must be in the future")])
        async with self._pool.connection() as connection, connection.transaction():
            role = await _lock_owner(connection, account_id, generation)
            if ANY_USER in spec.scopes and role != "ADMIN":
                raise PermissionDenied
            made = await _add(connection, account_id, spec)
        log.info("api key created", account_id=account_id, api_key_id=made.api_key.id)
        return made

    async def list(self, account_id: str, page: Page) -> tuple[Sequence[ApiKey], str]:
        """Returns a page of an account's keys, newest first, and the token of the next page."""
        values = {"account_id": account_id, "before": page.before, "limit": page.limit}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(ApiKey))
            rows = await (await cursor.execute(SQL["list_api_keys"], values)).fetchall()
        shown = rows[: page.size]
        return shown, page.token_after(shown[-1].number) if len(rows) > page.size else ""

    async def delete(self, account_id: str, api_key_id: str) -> None:
        """Deletes a key of an account; raises ApiKeyNotFound."""
        if not _ID.fullmatch(api_key_id):
            raise ApiKeyNotFound
        values = {"account_id": account_id, "id": api_key_id}
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["delete_api_key"], values)
        if not deleted.rowcount:
            raise ApiKeyNotFound
        log.info("api key deleted", account_id=account_id, api_key_id=api_key_id)

    async def resolve(self, api_key: str) -> ResolvedApiKey:
        """Finds the account of a key; raises InvalidToken for an invalid one."""
        parts = _KEY.fullmatch(api_key)
        if parts is None:
            raise InvalidToken
        values = {"id": parts["id"], "secret_sha256": sha256(parts["secret"])}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(ResolvedApiKey))
            resolved = await (await cursor.execute(SQL["resolve_api_key"], values)).fetchone()
        if resolved is None:
            raise InvalidToken
        return resolved


def sha256(secret: str) -> bytes:
    """Hashes a secret of 260 random bits, which needs neither salt nor a slow hash."""
    return hashlib.sha256(secret.encode()).digest()


async def _lock_owner(connection: Connection, account_id: str, generation: int) -> str:
    """Returns the account's role, and locks the account until the transaction ends."""
    values = {"account_id": account_id, "generation": generation}
    row = await (await connection.execute(SQL["lock_owner"], values)).fetchone()
    if row is None:
        raise InvalidToken
    return str(row[0])


async def _add(connection: Connection, account_id: str, spec: ApiKeySpec) -> CreatedApiKey:
    id_, secret = random_text(16), random_text(52)
    values = {
        "id": id_,
        "account_id": account_id,
        "name": spec.name,
        "scopes": list(spec.scopes),
        "secret_sha256": sha256(secret),
        "expires_at": spec.expires_at,
    }
    cursor = connection.cursor(row_factory=class_row(ApiKey))
    [made] = await (await cursor.execute(SQL["add_api_key"], values)).fetchall()
    return CreatedApiKey(made, f"box_{id_}_{secret}")


_ID = re.compile("[a-z2-7]{16}")
_KEY = re.compile(rf"box_(?P<id>{_ID.pattern})_(?P<secret>[a-z2-7]{{52}})")
