"""API keys: how programs act for an account, within scopes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from services.kit import queries
from services.kit.errors import InvalidToken
from services.kit.postgres import Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key acts for, and what it may do."""

    account_id: str
    role: str
    scopes: Sequence[str]


class ApiKeys:
    """Resolves API keys."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

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
    """Hashes a secret of 256 random bits, which needs no salt and no slowness."""
    return hashlib.sha256(secret.encode()).digest()


_KEY = re.compile(r"box_(?P<id>[a-z2-7]{16})_(?P<secret>[a-z2-7]{52})")
