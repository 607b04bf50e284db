"""Attempts to pay: asking providers for money, and recording what has become of it.

An attempt is committed before its provider is called, and its id is the provider's key. So whatever
is cut off can be asked for again: by a client with its idempotency key, or by a worker (`looks`).
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar
from uuid import UUID

import structlog
from psycopg.rows import class_row

from services.bookings import metrics
from services.bookings.asks import Decider, expect
from services.bookings.errors import ProviderNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.changes import Payment
from services.bookings.inventory.payment_commands import Charge, Paid, SettlePayment
from services.bookings.payments.provider import (
    Charged,
    NewCharge,
    Provider,
    ProviderUnavailable,
    Status,
)
from services.bookings.payments.providers import Providers
from services.kit.database import queries
from services.kit.database.postgres import Pool, in_doubt
from services.kit.process.failpoints import failpoint
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
START_SECONDS = 3
"""How long a client waits for the provider; less than the deadline of its call."""

ResultT = TypeVar("ResultT")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A payment as its provider is asked about it."""

    event_id: int
    booking_id: int
    id: UUID
    provider: str
    status: str
    amount_minor: int
    currency: str
    provider_reference: str | None

    @staticmethod
    def of(payment: Payment) -> "Attempt":
        """Returns the attempt that a payment is."""
        return Attempt(
            payment.event_id,
            payment.booking_id,
            payment.id,
            payment.provider,
            payment.status,
            payment.amount_minor,
            payment.currency,
            payment.provider_reference,
        )

    @property
    def is_open(self) -> bool:
        """Whether anything can still become of it: one that failed may succeed after all."""
        return self.status in {"CREATED", "FAILED"}


class Settlement(NamedTuple):
    """What has become of an attempt, as the provider's event `event_id` tells if one does."""

    attempt: Attempt
    charged: Charged
    event_id: str | None = None

    @property
    def command(self) -> SettlePayment:
        """The command that records it."""
        attempt, charged = self.attempt, self.charged
        charge = Charge(
            charged.status is Status.SUCCEEDED,
            charged.reference,
            charged.amount_minor,
            charged.currency,
        )
        return SettlePayment(
            attempt.event_id, attempt.booking_id, attempt.id, charge, self.event_id
        )


@dataclass(frozen=True, slots=True)
class Started:
    """Whether the provider has answered, and the page on which the payer goes on, if any.

    `paid` is the payment if it was settled just now.
    """

    is_answered: bool
    redirect_url: str | None = None
    paid: Paid | None = None


class Attempts:
    """Starts attempts, and settles them."""

    def __init__(self, pool: Pool, decider: Decider, providers: Providers) -> None:
        self._pool = pool
        self._decider = decider
        self._providers = providers

    async def start(self, asked: Sequence[tuple[Attempt, str]]) -> dict[UUID, Started | Exception]:
        """Asks providers for the money of attempts, and settles those that are answered soon.

        Each attempt comes with its token. Does nothing for attempts that are settled. A failure
        concerns its own attempt.
        """
        under_way = [each for each in asked if each[0].status == "CREATED"]
        answers = await asyncio.gather(
            *(self._begin(*each) for each in under_way), return_exceptions=True
        )
        failpoint("bookings.payment.charged")
        started: dict[UUID, Started | Exception] = {
            attempt.id: Started(is_answered=True) for attempt, _ in asked
        }
        settlements = []
        for (attempt, _), answer in zip(under_way, answers, strict=True):
            if isinstance(answer, Charged):
                settlements.append(Settlement(attempt, answer))
            elif isinstance(answer, Started | Exception):
                started[attempt.id] = answer
            else:
                raise answer
        for settlement, outcome in zip(settlements, await self.settle(settlements), strict=True):
            started[settlement.attempt.id] = (
                outcome if isinstance(outcome, Refusal) else Started(is_answered=True, paid=outcome)
            )
        return started

    async def settle(self, settlements: Sequence[Settlement]) -> list[Paid | Refusal]:
        """Records what has become of attempts; does nothing for those of which it is recorded."""
        asks = [Ask(settlement.command) for settlement in settlements]
        settled: list[Paid | Refusal] = []
        for outcome in await self._decider.decide(asks, skip_busy=False):
            if isinstance(outcome, Refusal):
                settled.append(outcome)
                continue
            paid = expect(outcome, Paid)
            if paid.changed:
                _count(paid)
            settled.append(paid)
        return settled

    async def find(self, payment_ids: Iterable[UUID]) -> dict[UUID, Attempt]:
        """Finds payments; those that do not exist are missing."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Attempt))
            await cursor.execute(SQL["find"], {"ids": list(payment_ids)})
            return {attempt.id: attempt for attempt in await cursor.fetchall()}

    async def _begin(self, attempt: Attempt, token: str) -> Started | Charged:
        """Asks for the money; returns what has become of it, or how the payer goes on."""
        charged = await self._ask(attempt, token)
        if charged is None:
            return Started(is_answered=False)
        if charged.status is not Status.PENDING:
            return charged
        with in_doubt():
            is_under_way = await self._keep_reference(attempt, charged)
        redirect_url = charged.redirect_url if is_under_way else None
        return Started(is_answered=True, redirect_url=redirect_url)

    async def _ask(self, attempt: Attempt, token: str) -> Charged | None:
        """Asks the provider of an attempt for the money; returns None without an answer in time."""
        provider = self._provider(attempt)
        if provider is None:
            return None
        charge = NewCharge(attempt.id, attempt.amount_minor, attempt.currency, token)
        asking = provider.start(charge)
        return await answer_in_time(
            asking, START_SECONDS, provider=provider, call="start", about=attempt.id
        )

    def _provider(self, attempt: Attempt) -> Provider | None:
        """Returns the provider of an attempt; None if it is no longer configured."""
        try:
            return self._providers.named(attempt.provider)
        except ProviderNotFound:
            log.exception("the provider of a payment is not configured", provider=attempt.provider)
            return None

    async def _keep_reference(self, attempt: Attempt, charged: Charged) -> bool:
        """Keeps by which name to ask for a charge; returns False if its attempt has ended."""
        values = {"event_id": attempt.event_id, "id": attempt.id, "reference": charged.reference}
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["keep_reference"], values)
            return cursor.rowcount == 1


async def answer_in_time(
    answer: Awaitable[ResultT], seconds: float, *, provider: Provider, call: str, about: UUID
) -> ResultT | None:
    """Returns the answer of a provider; None if none comes in time: somebody asks again.

    Counts and logs by the name of the `call`, `about` a payment or refund.
    """
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except (TimeoutError, ProviderUnavailable) as error:
        metrics.PROVIDER_FAILURES.labels(provider.name, call).inc()
        log.warning(
            "no answer from provider",
            provider=provider.name,
            call=call,
            about=str(about),
            error=str(error),
        )
        return None


def _count(paid: Paid) -> None:
    payment = paid.payment
    metrics.PAYMENTS.labels(payment.provider, payment.status.lower()).inc()
    if payment.mismatched:
        metrics.PAYMENT_MISMATCHES.labels(payment.provider).inc()
        log.error("a payment differs from its price", payment=str(payment.id))
