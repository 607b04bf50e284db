"""A payment provider that does what a test says, and counts what it is asked."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.bookings.payments.provider import (
    Charged,
    NewCharge,
    NewRefund,
    ProviderEvent,
    ProviderUnavailable,
    Refunded,
    Status,
)
from tests.services.conditions import until

PRICE = 900


@dataclass
class ScriptedProvider:
    """A provider whose answers are set; it is unavailable where there is none.

    It answers once `gate` is open; `waiting` counts those who came to it.
    """

    name: str = "scripted"
    needs_token: bool = False
    charged: Status | None = Status.SUCCEEDED
    refunded: Status | None = Status.SUCCEEDED
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: Counter[tuple[str, UUID]] = field(default_factory=Counter)
    waiting: int = 0

    def __post_init__(self) -> None:
        self.gate.set()

    def answers_at_once(self, token: str) -> bool:
        """Returns whether payments may share a batch."""
        return False

    async def start(self, charge: NewCharge) -> Charged:
        """Returns the charge."""
        return await self._charge("start", charge.payment_id)

    async def look_up(self, payment_id: UUID, reference: str | None) -> Charged | None:
        """Returns the charge."""
        return await self._charge("look_up", payment_id)

    async def cancel(self, payment_id: UUID, reference: str | None) -> Charged:
        """Returns the charge as a failed one."""
        self.asked["cancel", payment_id] += 1
        return Charged(Status.FAILED, f"ref-{payment_id}", PRICE, "EUR")

    async def refund(self, refund: NewRefund) -> Refunded:
        """Returns the refund."""
        self.asked["refund", refund.refund_id] += 1
        await self._wait()
        if self.refunded is None:
            raise ProviderUnavailable
        return Refunded(self.refunded, f"ref-{refund.refund_id}")

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent | None:
        """Returns nothing: there are no webhooks."""
        return None

    async def until_waiting(self, count: int) -> None:
        """Waits until so many callers wait for the gate."""

        async def are_waiting() -> bool:
            return self.waiting >= count

        await until(are_waiting)

    async def _wait(self) -> None:
        self.waiting += 1
        await self.gate.wait()

    async def _charge(self, call: str, payment_id: UUID) -> Charged:
        self.asked[call, payment_id] += 1
        await self._wait()
        if self.charged is None:
            raise ProviderUnavailable
        return Charged(self.charged, f"ref-{payment_id}", PRICE, "EUR")
