"""Events of providers: webhooks that come in, and tell of charges."""

from collections.abc import Mapping

import structlog

from services.bookings.payments.attempts import Attempts
from services.bookings.payments.provider import Status
from services.bookings.payments.providers import Providers

log = structlog.get_logger()


class ProviderEvents:
    """Receives events of providers, and settles the payments that they tell of."""

    def __init__(self, attempts: Attempts, providers: Providers) -> None:
        self._attempts = attempts
        self._providers = providers

    async def receive(self, provider: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Receives an event; one of no payment of ours, or without a result, changes nothing.

        Raises ProviderNotFound and WebhookRejected.
        """
        event = self._providers.named(provider).read_webhook(body, headers)
        if event is None or event.charged.status is Status.PENDING:
            return
        attempt = await self._attempts.find(event.payment_id)
        if attempt is None or attempt.provider != provider:
            log.info("event of a payment that is not ours", provider=provider, event_id=event.id)
            return
        await self._attempts.settle(attempt, event.charged, event.id)
