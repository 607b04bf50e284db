"""Looks at attempts under way: workers ask a provider what has become of their charges.

Each provider has workers of its own, so one that hangs holds up no other.
"""

from dataclasses import dataclass
from datetime import timedelta

from services.bookings.leases import Leases
from services.bookings.payments.attempts import (
    Attempt,
    Attempts,
    Settlement,
    answer_in_time,
)
from services.bookings.payments.provider import Charged, Provider, Status
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal

SQL = queries.load(__file__)
CALL_SECONDS = 10
LEASE_SECONDS = 15
LONGEST_PAUSE_SECONDS = 60
UNKNOWN_FOR = timedelta(seconds=60)
"""After which time a charge that the provider does not know will not arrive there any more."""
OPEN_FOR = timedelta(minutes=30)
"""How long an attempt may take if its booking is no hold, whose end would end it."""


@dataclass(frozen=True, slots=True)
class LeasedAttempt(Attempt):
    """An attempt under way that this worker looks at.

    `has_ended` is whether it has to end now: its hold does, or it has taken too long.
    """

    age: timedelta
    has_ended: bool


class Looks:
    """Looks at the attempts of one provider; several workers look at different ones."""

    def __init__(self, pool: Pool, attempts: Attempts, provider: Provider) -> None:
        self._pool = pool
        self._attempts = attempts
        self._provider = provider
        self._leases = Leases(LeasedAttempt, SQL["lease"], SQL["find"])

    async def look(self) -> bool:
        """Asks the provider about an attempt that is due; returns False if none is."""
        leased = await self._leases.take(
            self._pool,
            provider=self._provider.name,
            open_for=OPEN_FOR,
            shortest=timedelta(seconds=LEASE_SECONDS),
            longest=timedelta(seconds=LONGEST_PAUSE_SECONDS),
        )
        for attempt in leased:
            await self._look(attempt)
        return bool(leased)

    async def _look(self, attempt: LeasedAttempt) -> None:
        charged = await answer_in_time(
            self._look_up(attempt),
            CALL_SECONDS,
            provider=self._provider,
            call="look_up",
            about=attempt.id,
        )
        if charged and charged.status is not Status.PENDING:
            [outcome] = await self._attempts.settle([Settlement(attempt, charged)])
            if isinstance(outcome, Refusal):
                raise outcome

    async def _look_up(self, attempt: LeasedAttempt) -> Charged | None:
        """Looks a charge up, and cancels it if it is open for too long."""
        charged = await self._provider.look_up(attempt.id, attempt.provider_reference)
        is_open = charged is None or charged.status is Status.PENDING
        is_unknown = charged is None and attempt.age >= UNKNOWN_FOR
        if (is_open and attempt.has_ended) or is_unknown:
            return await self._provider.cancel(attempt.id, attempt.provider_reference)
        return charged
