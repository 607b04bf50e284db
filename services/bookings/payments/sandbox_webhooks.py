"""Webhooks of the sandbox: news of its charges, as real providers send them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import orjson
from psycopg.rows import class_row

from services.bookings.payments.sandbox import Sandbox
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
LEASE_SECONDS = 10

Receive: TypeAlias = Callable[[str, bytes, Mapping[str, str]], Awaitable[None]]
"""Receives a webhook: the provider's name, the body, and headers with names in lower case."""


@dataclass(frozen=True, slots=True)
class DueWebhook:
    """A webhook that is due, with its charge, and the status that it tells of."""

    number: int
    id: str
    charge_id: UUID
    status: str
    amount_minor: int
    currency: str

    @property
    def body(self) -> bytes:
        """What is sent."""
        charge = {
            "id": str(self.charge_id),
            "status": self.status,
            "amount_minor": self.amount_minor,
            "currency": self.currency,
        }
        return orjson.dumps({"type": f"charge.{self.status.lower()}", "charge": charge})


class SandboxWebhooks:
    """Sends webhooks of the sandbox to what receives those from outside, without a network."""

    def __init__(self, pool: Pool, sandbox: Sandbox, receive: Receive) -> None:
        self._pool = pool
        self._sandbox = sandbox
        self._receive = receive

    async def send(self) -> bool:
        """Sends a webhook that is due; returns False if none is.

        One whose receiver fails comes again, and so does one after a crash.
        """
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(DueWebhook))
            values = {"lease_seconds": LEASE_SECONDS}
            due = await (await cursor.execute(SQL["lease"], values)).fetchone()
        if due is None:
            return False
        headers = self._sandbox.sign(due.id, due.body, datetime.now(UTC))
        await self._receive(self._sandbox.name, due.body, headers)
        async with self._pool.connection() as connection:
            await connection.execute(SQL["delete"], {"number": due.number})
        return True
