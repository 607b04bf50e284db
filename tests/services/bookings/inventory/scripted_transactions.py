"""Transactions that a test of the lane scripts, without a database."""

import asyncio
from collections.abc import Sequence

from services.bookings.errors import SoldOut
from services.bookings.inventory import store
from services.bookings.inventory.commands import (
    DEFERRED,
    Book,
    Deferred,
    Done,
    Outcome,
    Replayed,
    Reserve,
)
from services.bookings.inventory.transaction import Ask
from services.kit.database.round_trip import Statement
from services.kit.rpc.errors import Busy

DONE = Done(changed=True)


class Scripted:
    """Succeeds, unless a test holds transactions up or makes them fail.

    `free` holds up transactions that wait for no lock, `unlocked` those that wait for `busy`
    events.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.done: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.unlocked = asyncio.Event()
        self.began = asyncio.Condition()
        self.busy: set[int] = set()
        self.full: set[int] = set()
        self.peeked = 0
        self.failures: dict[str, list[Exception | None]] = {}
        """Errors of the next batches with an ask of a user; None for one that succeeds."""
        self.stored: set[str] = set()
        """Users whose second ask in a batch repeats the key of the first one."""
        self.deferred: dict[str, int] = {}
        """How many transactions leave the asks of users undecided."""

    async def run(self, asks: Sequence[Ask], *, lock: Statement) -> list[Outcome | Deferred]:
        """See Runner."""
        users = list(map(user_of, asks))
        async with self.began:
            self.batches.append(users)
            self.began.notify_all()
        await (self.free if lock == store.SKIP_LOCKED else self.unlocked).wait()
        for user in users:
            failures = self.failures.get(user)
            if failures and (error := failures.pop(0)):
                raise error
        outcomes: list[Outcome | Deferred] = []
        for ask in asks:
            outcomes.append(self._decide(ask, users[: len(outcomes)], lock))
        return outcomes

    async def run_unlocked(self, asks: Sequence[Ask]) -> list[Outcome] | None:
        """See Runner."""
        self.peeked += 1
        if all(ask.command.event_id in self.full for ask in asks):
            return [SoldOut()] * len(asks)
        return None

    async def until_begun(self, batches: int) -> None:
        """Waits until the given number of transactions has begun."""
        async with self.began:
            await self.began.wait_for(lambda: len(self.batches) >= batches)

    def _decide(self, ask: Ask, earlier: Sequence[str], lock: Statement) -> Outcome | Deferred:
        user, event_id = user_of(ask), ask.command.event_id
        if event_id in self.busy and lock == store.SKIP_LOCKED:
            return Busy()
        if event_id in self.full:
            return SoldOut()
        if self.deferred.get(user):
            self.deferred[user] -= 1
            return DEFERRED
        if user in self.stored:
            return DEFERRED if user in earlier else self._answer(user)
        self.done.append(user)
        return DONE

    def _answer(self, user: str) -> Outcome:
        if user in self.done:
            return Replayed(b"the first one's answer")
        self.done.append(user)
        return DONE


def user_of(asked: Ask) -> str:
    """Returns the user of an ask."""
    assert isinstance(asked.command, Book | Reserve)
    return asked.command.user_id
