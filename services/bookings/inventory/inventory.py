"""The inventory as the rest of bookings uses it: deciding commands and counting seats."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from psycopg.rows import class_row

from services.bookings.inventory.batches import failed_outcomes
from services.bookings.inventory.closing import Closing
from services.bookings.inventory.commands import (
    Apply,
    Done,
    EventState,
    FeedPosition,
    Freeze,
    Judgement,
    Outcome,
    SetSkipFit,
    Sweep,
)
from services.bookings.inventory.event_lanes import EventLanes
from services.bookings.inventory.lane import Lane
from services.bookings.inventory.limits import HoldLimits
from services.bookings.inventory.payment_commands import RefundEvent
from services.bookings.inventory.plans import NoPlans, Plans
from services.bookings.inventory.seat_commands import PlanNeeded
from services.bookings.inventory.transaction import Ask, Transactions
from services.kit.database import idempotency, queries
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Busy, Internal, Refusal, Unavailable

SQL = queries.load(__file__)
OFFER_SECONDS = 7_200
CLOSING_CHUNK = 5_000
FORGETTING_CHUNK = 1_000
SWEEP_CHUNK = 50
REFUNDED_EVENTS = 10

OutcomeT = TypeVar("OutcomeT")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seats:
    """How many seats of an event are booked, and how many users wait, at a revision."""

    event_id: int
    capacity: int
    booked: int
    waiting: int
    rev: int
    is_draft: bool = False
    is_deleted: bool = False
    organizer_id: str | None = None


class Inventory:
    """Decides commands through a lane, and counts seats.

    Transactions of the lane use the pool `lane_pool`, whose sessions have the settings of `store`.
    An offer to a waiting user ends after `offer_seconds`. Bookings of a closed event are written in
    chunks of `closing_chunk`. `plans` loads seat plans, `limits` limits how long and how many seats
    are held. In a `distributed` database each transaction is about one event.
    """

    def __init__(
        self,
        pool: Pool,
        lane_pool: Pool | None = None,
        *,
        offer_seconds: int = OFFER_SECONDS,
        closing_chunk: int = CLOSING_CHUNK,
        plans: Plans | None = None,
        limits: HoldLimits | None = None,
        distributed: bool = False,
    ) -> None:
        self._pool = pool
        self._closing = Closing(pool, closing_chunk, distributed=distributed)
        self._plans = plans or NoPlans()
        transactions = Transactions(
            lane_pool or pool,
            offer_seconds=offer_seconds,
            plans=self._plans,
            limits=limits,
            distributed=distributed,
        )
        self._lane = EventLanes(transactions) if distributed else Lane(transactions)

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """Decides asks in one batch with all others that arrive meanwhile; see Lane.decide.

        Asks that need a plan that is not in memory are decided once it is loaded; with `skip_busy`
        they are Busy instead, so that no other ask of their batch waits for it.
        """
        outcomes = await self._decide(asks, skip_busy=skip_busy, loads_plans=not skip_busy)
        return [Busy() if isinstance(each, PlanNeeded) else each for each in outcomes]

    async def _decide(
        self, asks: Sequence[Ask], *, skip_busy: bool, loads_plans: bool = True
    ) -> list[Outcome]:
        """Decides asks; those that need a plan once it is loaded, after all others are committed.

        Without `loads_plans` these are PlanNeeded.
        """
        outcomes = await self._lane.decide(asks, skip_busy=skip_busy)
        needed = {
            index: outcome.plan_id
            for index, outcome in enumerate(outcomes)
            if isinstance(outcome, PlanNeeded)
        }
        if needed and loads_plans:
            lacking = [asks[index] for index in needed]
            decided = await self._decide_after_loading(
                lacking, set(needed.values()), skip_busy=skip_busy
            )
            for index, outcome in zip(needed, decided, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _decide_after_loading(
        self, asks: Sequence[Ask], plan_ids: set[int], *, skip_busy: bool
    ) -> list[Outcome]:
        """Loads plans and decides the asks that need them. A failure concerns these asks only."""
        try:
            await asyncio.gather(*map(self._plans.load, plan_ids))
            if any(self._plans.loaded(plan_id) is None for plan_id in plan_ids):
                return failed_outcomes(Unavailable(), len(asks))
            return await self._decide(asks, skip_busy=skip_busy)
        except Exception as error:
            log.exception("asks about assigned seats failed", commands=len(asks))
            return failed_outcomes(error, len(asks))

    async def apply(self, state: EventState) -> Judgement:
        """Puts a state of the catalogue in force, or records its refusal.

        Idempotent by `state.rev`: late and repeated calls change nothing.
        """
        [judgement] = await self.apply_all([state])
        return judgement

    async def apply_all(
        self,
        states: Sequence[EventState],
        *,
        begins_epoch: bool = False,
        position: FeedPosition | None = None,
    ) -> list[Judgement]:
        """Applies states, each independently of the others.

        With `begins_epoch` they replace states of other epochs. With `position` they are applied
        only while that is the position in the feed. Raises PositionMoved, or the first refusal of a
        state.
        """
        asks = [Ask(Apply(state, begins_epoch, position)) for state in states]
        return [_expect(outcome, Judgement) for outcome in await self.decide(asks)]

    async def freeze(
        self, event_id: int, why: str, *, epoch: str | None = None, rev: int | None = None
    ) -> bool:
        """Stops the sale of an event; returns False if it is stopped, or the state has changed."""
        [outcome] = await self.decide([Ask(Freeze(event_id, why, epoch, rev))])
        return _expect(outcome, Done).changed

    async def set_skip_fit(self, event_id: int, seconds: int | None) -> None:
        """Sets after how many seconds smaller parties may pass the head of the waiting list."""
        [outcome] = await self.decide([Ask(SetSkipFit(event_id, seconds))])
        _expect(outcome, Done)

    async def sweep(self) -> bool:
        """Expires holds that have ended, and serves the waiting list where seats are free.

        Skips events that another transaction has locked. Handles all other events if one fails, and
        raises Internal afterwards.
        """
        failed: Refusal | None = None
        after = 0
        while due := await self._due(after):
            after = due[-1]
            swept = await self._decide([Ask(Sweep(event_id)) for event_id in due], skip_busy=True)
            for outcome in swept:
                if isinstance(outcome, Refusal) and not isinstance(outcome, Busy):
                    failed = outcome
        if failed:
            raise failed
        return False

    async def refund_chunk(self) -> bool:
        """Writes a chunk of the refunds of closed events; returns whether there may be more.

        Skips events that another transaction has locked.
        """
        async with self._pool.connection() as connection:
            values = {"limit": REFUNDED_EVENTS}
            rows = await (await connection.execute(SQL["events_to_refund"], values)).fetchall()
        asks = [Ask(RefundEvent(event_id)) for (event_id,) in rows]
        decided = await self._decide(asks, skip_busy=True)
        done = [_expect(each, Done) for each in decided if not isinstance(each, Busy)]
        return bool(done)

    async def close_chunk(self) -> bool:
        """Writes a chunk of a closed event's bookings as CANCELLED; returns False without one."""
        return await self._closing.close_chunk()

    async def forget_keys(self) -> bool:
        """Deletes a chunk of old results; returns whether there may be more."""
        async with self._pool.connection() as connection:
            forgotten = await idempotency.forget(connection, chunk=FORGETTING_CHUNK)
        return forgotten == FORGETTING_CHUNK

    async def count_seats(self, event_ids: Collection[int]) -> dict[int, Seats]:
        """Counts the seats of those events that bookings knows, in one snapshot."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=class_row(Seats))
            await cursor.execute(SQL["count_seats"], {"event_ids": list(event_ids)})
            return {seats.event_id: seats for seats in await cursor.fetchall()}

    async def _due(self, after: int) -> list[int]:
        """Lists the next events that need a sweep."""
        values = {"after": after, "limit": SWEEP_CHUNK}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(SQL["due_events"], values)).fetchall()
        return [event_id for (event_id,) in rows]


def _expect(outcome: Outcome, expected: type[OutcomeT]) -> OutcomeT:
    if isinstance(outcome, Refusal):
        raise outcome
    if not isinstance(outcome, expected):
        raise Internal
    return outcome
