"""Delivering changes to webhooks: in order, at least once, and again later after a failure.

A webhook has a cursor in the feed. Its changes are sent one after another, and the cursor moves
when one was accepted. So a receiver that fails holds up its own changes only, and misses none.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

import orjson
import structlog
from psycopg.rows import class_row
from standardwebhooks.webhooks import Webhook as Signer

from services.bookings import metrics
from services.bookings.errors import ChangesGone
from services.bookings.feed.changes import Change, ChangePage, Changes
from services.bookings.feed.cursor import Cursor
from services.bookings.webhooks.sending import SendError
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
RETRY_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000)
"""Pauses after failures; the last one again and again."""
PATIENCE = timedelta(days=3)
LEASE_SECONDS = 30
CHANGES_AT_ONCE = 50
KEPT = 100
TURN_SECONDS = 5.0
"""How long a webhook has a worker while others are due: a slow one would hold it for minutes."""

log = structlog.get_logger()


class Sender(Protocol):
    """Sends requests."""

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Returns the status of the response; raises SendError if there is none."""


@dataclass(frozen=True, slots=True)
class LeasedWebhook:
    """A webhook that this worker delivers to, until the lease ends."""

    id: UUID
    lease: UUID
    owner_id: str
    url: str
    types: Sequence[str]
    secret: str = field(repr=False)
    former_secret: str | None = field(repr=False)
    position: int
    rev: int
    attempts: int

    @property
    def cursor(self) -> Cursor:
        """The place in the feed after what was delivered."""
        return Cursor(self.position, self.rev)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a request."""

    status: int | None
    error: str
    latency_ms: int

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has the change."""
        return self.status is not None and HTTPStatus(200) <= self.status < HTTPStatus(300)


class Deliveries:
    """Delivers changes; several workers deliver to different webhooks."""

    def __init__(
        self, pool: Pool, changes: Changes, sender: Sender, *, turn_seconds: float = TURN_SECONDS
    ) -> None:
        self._pool = pool
        self._changes = changes
        self._sender = sender
        self._turn_seconds = turn_seconds

    async def deliver(self) -> bool:
        """Delivers changes to one webhook that is due; returns whether another may be."""
        webhook = await self._lease()
        if webhook is None:
            return False
        try:
            page = await self._changes.list_changes(
                webhook.owner_id, webhook.cursor, webhook.types, CHANGES_AT_ONCE
            )
        except ChangesGone:
            log.warning("webhook missed changes that are forgotten", webhook=str(webhook.id))
            await self._release(webhook, await self._changes.first_cursor())
            return True
        if (after := await self._send_all(webhook, page)) is not None:
            await self._release(webhook, after)
        return True

    async def measure(self) -> bool:
        """Measures how far webhooks are behind, and how many are failing."""
        async with self._pool.connection() as connection:
            found = await (await connection.execute(SQL["get_lag"])).fetchone()
        failing, seconds = found or (0, 0.0)
        metrics.WEBHOOKS_FAILING.set(failing)
        metrics.WEBHOOK_LAG_SECONDS.set(seconds)
        return False

    async def _send_all(self, webhook: LeasedWebhook, page: ChangePage) -> Cursor | None:
        """Sends changes until the turn ends; returns the cursor after them.

        Returns None if one was not accepted, or the lease has ended.
        """
        ends_at = time.monotonic() + self._turn_seconds
        before, attempts = webhook.cursor, webhook.attempts
        for change in page.changes:
            attempt = await self._send(webhook, change)
            has_lease = await self._record(webhook, change, attempt, before, attempts)
            if not (attempt.is_accepted and has_lease):
                return None
            before, attempts = change.cursor, 0
            if time.monotonic() >= ends_at:
                return before
        return page.cursor

    async def _send(self, webhook: LeasedWebhook, change: Change) -> Attempt:
        body = orjson.dumps(change.entry)
        started = time.monotonic()
        status, error = None, ""
        try:
            status = await self._sender.post(webhook.url, _headers(webhook, change, body), body)
        except SendError as failure:
            error = str(failure)
        latency_ms = round((time.monotonic() - started) * 1000)
        return Attempt(status, error, latency_ms)

    async def _record(
        self,
        webhook: LeasedWebhook,
        change: Change,
        attempt: Attempt,
        before: Cursor,
        attempts: int,
    ) -> bool:
        """Records an attempt; returns whether the lease was still there."""
        is_accepted = attempt.is_accepted
        metrics.WEBHOOK_ATTEMPTS.labels("accepted" if is_accepted else "failed").inc()
        cursor = change.cursor if is_accepted else before
        retry_seconds = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS) - 1)]
        values = {
            "id": webhook.id,
            "lease": webhook.lease,
            "position": cursor.position,
            "rev": cursor.rev,
            "is_accepted": is_accepted,
            "is_gone": attempt.status == HTTPStatus.GONE,
            "attempts": 0 if is_accepted else attempts + 1,
            "seconds": LEASE_SECONDS if is_accepted else retry_seconds,
            "patience": PATIENCE,
            "change_id": change.id,
            "change_type": change.kind,
            "response_status": attempt.status,
            "error": attempt.error,
            "latency_ms": attempt.latency_ms,
            "kept": KEPT,
        }
        async with self._pool.connection() as connection:
            return await (await connection.execute(SQL["record"], values)).fetchone() is not None

    async def _lease(self) -> LeasedWebhook | None:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(LeasedWebhook))
            values = {"lease_seconds": LEASE_SECONDS}
            return await (await cursor.execute(SQL["lease"], values)).fetchone()

    async def _release(self, webhook: LeasedWebhook, cursor: Cursor) -> None:
        values = {
            "id": webhook.id,
            "lease": webhook.lease,
            "position": cursor.position,
            "rev": cursor.rev,
        }
        async with self._pool.connection() as connection:
            await connection.execute(SQL["release"], values)


def _headers(webhook: LeasedWebhook, change: Change, body: bytes) -> dict[str, str]:
    """Returns the headers of Standard Webhooks, with a signature for each secret that is valid."""
    now = datetime.now(UTC)
    secrets = [webhook.secret, *filter(None, [webhook.former_secret])]
    signatures = [Signer(secret).sign(change.id, now, body.decode()) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": change.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
