"""API keys: how programs act for an account, within scopes."""

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
class Holder:
    """Whom a key acts for, and what it may do."""

    account_id: str
    role: str
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a key shall be called, may do, and until when; None is for ever."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it; `number` orders an account's keys."""

    number: int
    id: str
    name: str
    scopes: Sequence[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key that was just made, and what its holder sends: nobody can tell that again."""

    api_key: ApiKey
    secret: str = field(repr=False)


class ApiKeys:
    """Makes, lists, deletes and resolves API keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, account_id: str, generation: int, wish: Wish) -> NewApiKey:
        """Makes a key for an account.

        A key outlives the token that it is asked for with, so that one's generation must be the
        account's at this moment: else InvalidToken. Raises PermissionDenied for a scope that is not
        the account's to give, ValidationFailed for a time that is over.
        """
        if wish.expires_at and wish.expires_at <= datetime.now(UTC):
            raise ValidationFailed(violations=[Violation("expires_at", "must be in the future")])
        async with self._pool.connection() as connection, connection.transaction():
            role = await _lock_owner(connection, account_id, generation)
            if ANY_USER in wish.scopes and role != "ADMIN":
                raise PermissionDenied
            made = await _add(connection, account_id, wish)
        log.info("api key made", account_id=account_id, api_key_id=made.api_key.id)
        return made

    async def list(self, account_id: str, page: Page) -> tuple[Sequence[ApiKey], str]:
        """Lists an account's keys, newest first, and gives the token of the next page or ""."""
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

    async def resolve(self, api_key: str) -> Holder:
        """Finds whose key it is; raises InvalidToken for one that is not valid now."""
        parts = _KEY.fullmatch(api_key)
        if parts is None:
            raise InvalidToken
        values = {"id": parts["id"], "secret_sha256": sha256(parts["secret"])}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Holder))
            holder = await (await cursor.execute(SQL["resolve_api_key"], values)).fetchone()
        if holder is None:
            raise InvalidToken
        return holder


def sha256(secret: str) -> bytes:
    """Hashes a secret of 260 random bits, which needs no salt and no slowness."""
    return hashlib.sha256(secret.encode()).digest()


async def _lock_owner(connection: Connection, account_id: str, generation: int) -> str:
    """Gives the account's role, which nobody changes before the transaction ends."""
    values = {"account_id": account_id, "generation": generation}
    row = await (await connection.execute(SQL["lock_owner"], values)).fetchone()
    if row is None:
        raise InvalidToken
    return str(row[0])


async def _add(connection: Connection, account_id: str, wish: Wish) -> NewApiKey:
    id_, secret = random_text(16), random_text(52)
    values = {
        "id": id_,
        "account_id": account_id,
        "name": wish.name,
        "scopes": list(wish.scopes),
        "secret_sha256": sha256(secret),
        "expires_at": wish.expires_at,
    }
    cursor = connection.cursor(row_factory=class_row(ApiKey))
    [made] = await (await cursor.execute(SQL["add_api_key"], values)).fetchall()
    return NewApiKey(made, f"box_{id_}_{secret}")


_ID = re.compile("[a-z2-7]{16}")
_KEY = re.compile(rf"box_(?P<id>{_ID.pattern})_(?P<secret>[a-z2-7]{{52}})")
