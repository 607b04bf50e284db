"""The backlog of payments and refunds: what providers have not answered, and for how long."""

import structlog

from services.bookings import metrics
from services.bookings.errors import ProviderNotFound
from services.bookings.payments.providers import Providers
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)

log = structlog.get_logger()


class Backlog:
    """Measures the backlog, of providers that are no longer configured, too."""

    def __init__(self, pool: Pool, providers: Providers) -> None:
        self._pool = pool
        self._providers = providers

    async def measure(self) -> bool:
        """Measures once; returns False, since the next time is after a pause."""
        async with self._pool.connection() as connection:
            attempt = await (await connection.execute(SQL["get_oldest_attempt"])).fetchone()
            refund = await (await connection.execute(SQL["get_oldest_refund"])).fetchone()
        metrics.PAYMENT_LAG_SECONDS.set(attempt[0] if attempt else 0)
        metrics.REFUND_LAG_SECONDS.set(refund[0] if refund else 0)
        metrics.REFUNDS_DUE.set(refund[2] if refund else 0)
        for oldest in (attempt, refund):
            if oldest:
                self._expect_to_know(oldest[1])
        return False

    def _expect_to_know(self, provider: str) -> None:
        """Logs an error about a provider that is not configured: nobody asks it."""
        try:
            self._providers.named(provider)
        except ProviderNotFound:
            log.exception("the provider of a payment is not configured", provider=provider)
