"""Webhooks as their owners manage them."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.errors import TooManyWebhooks, WebhookNotFound
from services.bookings.feed.cursor import WHOLE, Cursor
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(
    __file__, columns="id, url, types, status, disabled_reason, failing_since, created_at"
)
MOST = 10
SECRET_BYTES = 32
SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's prefix of secrets
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as its owner sees it, without its secret."""

    id: UUID
    url: str
    types: Sequence[str]
    status: str
    disabled_reason: str
    failing_since: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """An attempt to deliver a change; `status` is that of the response, if there was one."""

    change_id: str
    change_type: str
    at: datetime
    status: int | None
    error: str
    latency_ms: int


@dataclass(frozen=True, slots=True)
class WebhookFields:
    """Fields that an owner sets; None for those that stay, or have their default."""

    url: str | None = None
    types: Sequence[str] | None = None
    status: str | None = None


class Webhooks:
    """Creates, changes and deletes the webhooks of an owner."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, owner_id: str, fields: WebhookFields) -> tuple[Webhook, str]:
        """Creates a webhook for changes from now on; returns it with its secret.

        Raises TooManyWebhooks.
        """
        secret = _new_secret()
        values = {
            "owner_id": owner_id,
            "url": fields.url,
            "types": list(fields.types or ()),
            "status": fields.status or "ENABLED",
            "secret": secret,
            "rev": WHOLE,
            "most": MOST,
        }
        created = await self._fetch("create", values)
        if not created:
            raise TooManyWebhooks
        return created[0], secret

    async def list_webhooks(self, owner_id: str) -> Sequence[Webhook]:
        """Lists the webhooks of an owner, oldest first."""
        return await self._fetch("list", {"owner_id": owner_id})

    async def get(self, owner_id: str, webhook_id: UUID) -> Webhook:
        """Reads a webhook. Raises WebhookNotFound."""
        return await self._one("get", owner_id, webhook_id)

    async def update(self, owner_id: str, webhook_id: UUID, fields: WebhookFields) -> Webhook:
        """Changes a webhook, and delivers at once what waits. Raises WebhookNotFound."""
        return await self._one(
            "update",
            owner_id,
            webhook_id,
            url=fields.url,
            types=None if fields.types is None else list(fields.types),
            status=fields.status,
        )

    async def delete(self, owner_id: str, webhook_id: UUID) -> None:
        """Deletes a webhook. Raises WebhookNotFound."""
        values = {"owner_id": owner_id, "id": webhook_id}
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["delete"], values)
        if not deleted.rowcount:
            raise WebhookNotFound

    async def rotate_secret(self, owner_id: str, webhook_id: UUID) -> tuple[Webhook, str]:
        """Replaces the secret of a webhook; returns both. The former one signs for OVERLAP, too.

        Raises WebhookNotFound.
        """
        secret = _new_secret()
        webhook = await self._one(
            "rotate_secret", owner_id, webhook_id, secret=secret, overlap=OVERLAP
        )
        return webhook, secret

    async def replay(self, owner_id: str, webhook_id: UUID, after: Cursor) -> Webhook:
        """Delivers again all changes after a cursor. Raises WebhookNotFound."""
        return await self._one(
            "replay", owner_id, webhook_id, position=after.position, rev=after.rev
        )

    async def list_deliveries(self, owner_id: str, webhook_id: UUID) -> Sequence[Delivery]:
        """Lists the last attempts of a webhook, newest first. Raises WebhookNotFound."""
        await self.get(owner_id, webhook_id)
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Delivery))
            found = await cursor.execute(SQL["list_deliveries"], {"id": webhook_id})
            return await found.fetchall()

    async def _one(
        self, statement: str, owner_id: str, webhook_id: UUID, **values: object
    ) -> Webhook:
        found = await self._fetch(statement, {"owner_id": owner_id, "id": webhook_id, **values})
        if not found:
            raise WebhookNotFound
        return found[0]

    async def _fetch(self, statement: str, values: dict[str, Any]) -> Sequence[Webhook]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Webhook))
            return await (await cursor.execute(SQL[statement], values)).fetchall()


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
