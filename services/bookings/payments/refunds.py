"""Refunds: workers have a provider pay back what is due, and ask again while it does not answer.

Each provider has workers of its own, so one that hangs holds up no other.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog

from services.bookings import metrics
from services.bookings.asks import Decider, expect
from services.bookings.inventory import Ask
from services.bookings.inventory.payment_commands import Refunding, SettleRefund
from services.bookings.leases import Leases
from services.bookings.payments.attempts import answer_in_time
from services.bookings.payments.provider import NewRefund, Provider, Refunded, Status
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.process.failpoints import failpoint

SQL = queries.load(__file__)
CALL_SECONDS = 10
FIRST_PAUSE_SECONDS = 15
LONGEST_PAUSE_SECONDS = 21_600

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DueRefund:
    """A refund that this worker sends, with the provider's own name of its payment."""

    event_id: int
    booking_id: int
    payment_id: UUID
    id: UUID
    amount_minor: int
    currency: str
    payment_reference: str | None


class Refunds:
    """Pays the refunds of one provider back; several workers pay different ones."""

    def __init__(self, pool: Pool, decider: Decider, provider: Provider) -> None:
        self._pool = pool
        self._decider = decider
        self._provider = provider
        self._leases = Leases(DueRefund, SQL["lease"], SQL["find"])

    async def pay_back(self) -> bool:
        """Pays a refund back that is due; returns False if none is."""
        leased = await self._leases.take(
            self._pool,
            provider=self._provider.name,
            first_pause=FIRST_PAUSE_SECONDS,
            longest_pause=LONGEST_PAUSE_SECONDS,
        )
        for refund in leased:
            await self._pay_back(refund)
        return bool(leased)

    async def _pay_back(self, refund: DueRefund) -> None:
        refunded = await self._ask(refund)
        failpoint("bookings.refund.sent")
        if refunded.status is not Status.PENDING:
            await self._settle(refund, refunded)

    async def _ask(self, refund: DueRefund) -> Refunded:
        """Asks the provider to pay back; a refund without an answer is PENDING."""
        asked = NewRefund(
            refund.id,
            refund.payment_id,
            refund.payment_reference,
            refund.amount_minor,
            refund.currency,
        )
        refunded = await answer_in_time(
            self._provider.refund(asked),
            CALL_SECONDS,
            provider=self._provider,
            call="refund",
            about=refund.id,
        )
        return refunded or Refunded(Status.PENDING)

    async def _settle(self, refund: DueRefund, refunded: Refunded) -> None:
        is_paid_back = refunded.status is Status.SUCCEEDED
        command = SettleRefund(
            refund.event_id,
            refund.booking_id,
            refund.payment_id,
            refund.id,
            is_paid_back,
            refunded.reference,
        )
        [outcome] = await self._decider.decide([Ask(command)], skip_busy=False)
        expect(outcome, Refunding)
        if not is_paid_back:
            metrics.PROVIDER_FAILURES.labels(self._provider.name, "refund").inc()
            log.error("a provider refuses to pay a refund back", refund=str(refund.id))
