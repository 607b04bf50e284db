"""Refunds: having providers pay back what is due, and asking again while they do not answer."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

import structlog
from psycopg.rows import class_row

from services.bookings import metrics
from services.bookings.asks import Decider, expect
from services.bookings.errors import ProviderNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.payment_commands import Refunding, SettleRefund
from services.bookings.payments.provider import NewRefund, ProviderUnavailable, Refunded, Status
from services.bookings.payments.providers import Providers
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
    """A refund that this worker sends, with the provider of its payment."""

    event_id: int
    booking_id: int
    payment_id: UUID
    id: UUID
    amount_minor: int
    currency: str
    provider: str
    payment_reference: str | None


class Refunds:
    """Pays refunds back; several workers pay different ones."""

    def __init__(self, pool: Pool, decider: Decider, providers: Providers) -> None:
        self._pool = pool
        self._decider = decider
        self._providers = providers

    async def pay_back(self) -> bool:
        """Pays a refund back that is due; returns False if none is."""
        refund = await self._lease()
        if refund is None:
            return False
        refunded = await self._ask(refund)
        failpoint("bookings.refund.sent")
        if refunded.status is not Status.PENDING:
            await self._settle(refund, refunded)
        return True

    async def measure(self) -> bool:
        """Counts the refunds that are due, and measures the age of the oldest."""
        async with self._pool.connection() as connection:
            row = await (await connection.execute(SQL["get_backlog"])).fetchone()
        count, seconds = row or (0, 0.0)
        metrics.REFUNDS_DUE.set(count)
        metrics.REFUND_LAG_SECONDS.set(seconds)
        return False

    async def _lease(self) -> DueRefund | None:
        values = {"first_pause": FIRST_PAUSE_SECONDS, "longest_pause": LONGEST_PAUSE_SECONDS}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(DueRefund))
            return await (await cursor.execute(SQL["lease"], values)).fetchone()

    async def _ask(self, refund: DueRefund) -> Refunded:
        """Asks the provider to pay back; a refund without an answer is PENDING."""
        try:
            provider = self._providers.named(refund.provider)
            async with asyncio.timeout(CALL_SECONDS):
                return await provider.refund(
                    NewRefund(
                        refund.id,
                        refund.payment_id,
                        refund.payment_reference,
                        refund.amount_minor,
                        refund.currency,
                    )
                )
        except (TimeoutError, ProviderUnavailable, ProviderNotFound) as error:
            metrics.PROVIDER_FAILURES.labels(refund.provider, "refund").inc()
            log.warning("refund is not paid back yet", refund=str(refund.id), error=str(error))
            return Refunded(Status.PENDING)

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
            metrics.PROVIDER_FAILURES.labels(refund.provider, "refund").inc()
            log.error("a provider refuses to pay a refund back", refund=str(refund.id))
