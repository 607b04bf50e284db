"""The room of payments, with the providers that are configured."""

import contextlib
from collections.abc import AsyncIterator, Sequence

from boxoffice.bookings.v1 import payments_pb2_grpc
from services.bookings.payments.attempts import Attempts
from services.bookings.payments.backlog import Backlog
from services.bookings.payments.checkouts import Checkouts
from services.bookings.payments.looks import Looks
from services.bookings.payments.payments import Payments
from services.bookings.payments.provider import Provider
from services.bookings.payments.provider_events import ProviderEvents
from services.bookings.payments.providers import Providers
from services.bookings.payments.refunds import Refunds
from services.bookings.payments.sandbox import Sandbox
from services.bookings.payments.sandbox_webhooks import SandboxWebhooks
from services.bookings.payments.servicer import PaymentsServicer
from services.bookings.settings import Settings
from services.bookings.wiring.core import Core, Workers
from services.kit.process.workers import repeat

ASKING = 4
"""Attempts to pay, and refunds, that each provider is asked about at once."""


@contextlib.asynccontextmanager
async def payments_taken(core: Core) -> AsyncIterator[Workers]:
    """Serves payments while the block runs; yields their workers."""
    pool, inventory, names = core.pool, core.inventory, core.settings.payment_providers
    async with _stripe_opened(core.settings) as stripe:
        sandbox = Sandbox(pool, core.settings.sandbox_secret)
        known: dict[str, Provider] = {each.name: each for each in (sandbox, *stripe)}
        providers = Providers([known[name] for name in names])
        attempts = Attempts(pool, inventory, providers)
        events = ProviderEvents(attempts, providers)
        payments = Payments(pool)
        checkouts = Checkouts(pool, inventory, providers, attempts, payments)
        servicer = PaymentsServicer(
            inventory, checkouts, payments, events, open_access=core.open_access
        )
        payments_pb2_grpc.add_PaymentsServiceServicer_to_server(servicer, core.service.grpc)
        core.service.add_batched(servicer.handlers)
        webhooks = SandboxWebhooks(pool, sandbox, events.receive)
        looks = [Looks(pool, attempts, known[name]).look for name in names]
        refunds = [Refunds(pool, inventory, known[name]).pay_back for name in names]
        yield (
            repeat(Backlog(pool, providers).measure, every_seconds=15),
            *(repeat(ask, every_seconds=1) for ask in (*looks, *refunds) for _ in range(ASKING)),
            *([repeat(webhooks.send, every_seconds=0.25)] if sandbox.name in names else []),
        )


@contextlib.asynccontextmanager
async def _stripe_opened(settings: Settings) -> AsyncIterator[Sequence[Provider]]:
    """Opens Stripe while the block runs, if it is configured."""
    if "stripe" not in settings.payment_providers:
        yield []
        return
    # Its library is an extra, and slow to import.
    from services.bookings.payments.stripe import Account, open_stripe

    account = Account(
        settings.stripe_api_key,
        settings.stripe_webhook_secrets,
        settings.stripe_return_url,
        settings.stripe_api_url,
    )
    async with open_stripe(account) as stripe:
        yield [stripe]
