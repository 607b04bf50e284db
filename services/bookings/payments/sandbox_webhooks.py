"""Webhooks of the sandbox: news of its charges, as real providers send them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import orjson

from services.bookings.leases import Leases
from services.bookings.payments.provider_events import Webhook
from services.bookings.payments.sandbox import Sandbox
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
LEASE_SECONDS = 10
AT_ONCE = 64
"""Webhooks that are sent together."""

Receive: TypeAlias = Callable[[str, Sequence[Webhook]], Awaitable[Sequence[Refusal | None]]]
"""Receives webhooks of the provider with a name; returns for each why not, None if it did."""


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
        self._leases = Leases(DueWebhook, SQL["lease"])

    async def send(self) -> bool:
        """Sends webhooks that are due; returns whether there may be more.

        Those whose receiver fails come again, and so do all of them after a crash. Raises the first
        failure.
        """
        due = await self._leases.take(self._pool, limit=AT_ONCE, lease_seconds=LEASE_SECONDS)
        if not due:
            return False
        now = datetime.now(UTC)
        webhooks = [Webhook(each.body, self._sandbox.sign(each.id, each.body, now)) for each in due]
        outcomes = await self._receive(self._sandbox.name, webhooks)
        failures = [outcome for outcome in outcomes if outcome]
        received = [each.number for each, failed in zip(due, outcomes, strict=True) if not failed]
        async with self._pool.connection() as connection:
            await connection.execute(SQL["delete"], {"numbers": received})
        if failures:
            raise failures[0]
        return len(due) == AT_ONCE
