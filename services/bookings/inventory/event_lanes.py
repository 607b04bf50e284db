"""A lane for each event, where the database is distributed by event: no transaction has two events.

One transaction with several events would be one on several nodes, committed in two phases.
"""

import asyncio
from collections.abc import Sequence

import structlog

from services.bookings.inventory.batches import failed_outcomes
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.hints import Hints
from services.bookings.inventory.lane import QUEUE_SIZE, Lane, Runner
from services.bookings.inventory.transaction import Ask
from services.kit.rpc.errors import Unavailable

log = structlog.get_logger()


class EventLanes:
    """Decides asks in batches of one event each; the events side by side."""

    def __init__(self, transactions: Runner, *, queue_size: int = QUEUE_SIZE) -> None:
        self._transactions = transactions
        self._queue_size = queue_size
        self._hints = Hints()
        self._lanes: dict[int, Lane] = {}
        self._asked: dict[int, int] = {}
        """How many asks each event's lane has; a lane without any is dropped."""

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """See Lane.decide. Asks of one event are decided in their order.

        If the transaction of one event of several fails, its asks fail for themselves.
        """
        indices: dict[int, list[int]] = {}
        for index, ask in enumerate(asks):
            indices.setdefault(ask.command.event_id, []).append(index)
        if sum(self._asked.values()) + len(asks) > self._queue_size:
            raise Unavailable
        if len(indices) == 1:
            return await self._decide(asks, skip_busy=skip_busy)
        decided = await asyncio.gather(
            *(
                self._decide_among_others([asks[index] for index in own], skip_busy=skip_busy)
                for own in indices.values()
            )
        )
        outcomes = {
            index: outcome
            for own, found in zip(indices.values(), decided, strict=True)
            for index, outcome in zip(own, found, strict=True)
        }
        return [outcomes[index] for index in range(len(asks))]

    async def _decide_among_others(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        try:
            return await self._decide(asks, skip_busy=skip_busy)
        except Exception as error:
            # The asks for other events need their outcomes all the same.
            log.exception("asks of an event failed", event_id=asks[0].command.event_id)
            return failed_outcomes(error, len(asks))

    async def _decide(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        """Decides asks of one event in its lane."""
        event_id = asks[0].command.event_id
        if event_id not in self._lanes:
            self._lanes[event_id] = Lane(self._transactions, hints=self._hints)
            self._asked[event_id] = 0
        self._asked[event_id] += len(asks)
        try:
            return await self._lanes[event_id].decide(asks, skip_busy=skip_busy)
        finally:
            self._asked[event_id] -= len(asks)
            if not self._asked[event_id]:
                del self._lanes[event_id], self._asked[event_id]
