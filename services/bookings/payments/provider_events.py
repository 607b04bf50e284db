"""Events of providers: webhooks that come in, and tell of charges."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from services.bookings.payments.attempts import Attempts, Settlement
from services.bookings.payments.provider import ProviderEvent, Status
from services.bookings.payments.providers import Providers
from services.kit.rpc.errors import Refusal

log = structlog.get_logger()


class Webhook(NamedTuple):
    """A webhook as it came: its body, and its headers with names in lower case."""

    body: bytes
    headers: Mapping[str, str]


class ProviderEvents:
    """Receives events of providers, and settles the payments that they tell of."""

    def __init__(self, attempts: Attempts, providers: Providers) -> None:
        self._attempts = attempts
        self._providers = providers

    async def receive(self, provider: str, webhooks: Sequence[Webhook]) -> list[Refusal | None]:
        """Receives webhooks; returns for each why it was not worked on, None if it was.

        One of no payment of ours, or without a result, changes nothing. Raises ProviderNotFound.
        """
        read_webhook = self._providers.named(provider).read_webhook
        outcomes: list[Refusal | None] = [None] * len(webhooks)
        events: dict[int, ProviderEvent] = {}
        for number, webhook in enumerate(webhooks):
            try:
                event = read_webhook(webhook.body, webhook.headers)
            except Refusal as refusal:
                outcomes[number] = refusal
                continue
            if event and event.charged.status is not Status.PENDING:
                events[number] = event
        settlements = await self._settlements(provider, events)
        settled = await self._attempts.settle([*settlements.values()])
        for number, outcome in zip(settlements, settled, strict=True):
            outcomes[number] = outcome if isinstance(outcome, Refusal) else None
        return outcomes

    async def _settlements(
        self, provider: str, events: Mapping[int, ProviderEvent]
    ) -> dict[int, Settlement]:
        """Finds what events change: a payment that has succeeded stays so."""
        if not events:
            return {}
        found = await self._attempts.find({event.payment_id for event in events.values()})
        settlements = {}
        for number, event in events.items():
            attempt = found.get(event.payment_id)
            if attempt is None or attempt.provider != provider:
                log.info(
                    "event of a payment that is not ours", provider=provider, event_id=event.id
                )
            elif attempt.is_open:
                settlements[number] = Settlement(attempt, event.charged, event.id)
        return settlements
