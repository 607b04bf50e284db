"""Buyers who repeat their request, with its key, until they know the outcome."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.e2e.client import new_key, new_user
from tests.e2e.raw_http import Answer, connect, reservation

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.05


@dataclass
class Purchase:
    """A request for a seat and its responses; None stands for a broken connection."""

    event_id: int
    user: str = field(default_factory=new_user)
    key: str = field(default_factory=new_key)
    answers: list[Answer | None] = field(default_factory=list)
    settled_at: float = 0.0

    @property
    def request(self) -> bytes:
        """The HTTP request."""
        return reservation(self.event_id, self.user, self.key)

    @property
    def outcome(self) -> tuple[int, str]:
        """The outcome of the last response."""
        last = self.answers[-1] if self.answers else None
        return last.outcome if last else (0, "")

    @property
    def is_settled(self) -> bool:
        """Whether the last response says whether there is a booking."""
        return self.outcome in {(201, ""), (409, "sold_out"), (409, "already_booked")}

    @property
    def was_in_doubt(self) -> bool:
        """Whether the outcome was unknown at some time."""
        return any(answer is None or answer.status == 504 for answer in self.answers)

    async def ask(self, port: int) -> None:
        """Sends the request once, on a connection of its own."""
        try:
            async with connect(port) as connection:
                self.answers.append(await connection.ask(self.request))
        except (ConnectionError, asyncio.IncompleteReadError):
            self.answers.append(None)

    async def settle(self, port: int, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Repeats the request until it is settled."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.ask(port)
            while not self.is_settled:
                await asyncio.sleep(pause_seconds)  # as a client waits before it asks again
                await self.ask(port)
        self.settled_at = time.monotonic()


class Rush:
    """Buyers who settle one purchase after another, until the event is sold out."""

    def __init__(self, port: int, event_id: int, buyers: int) -> None:
        self._port = port
        self.event_id = event_id
        self._buyers = buyers
        self.purchases: list[Purchase] = []
        self.sold = 0
        self._progress = asyncio.Event()

    async def run(self, trouble: Callable[["Rush"], Awaitable[None]]) -> None:
        """Buys until the event is sold out, while `trouble` runs."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._buyers):
                group.create_task(self._buy())
            await trouble(self)

    async def reach(self, sold: int) -> None:
        """Waits until so many buyers know that they have a seat."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.sold < sold:
                self._progress.clear()
                await self._progress.wait()

    async def _buy(self) -> None:
        while True:
            purchase = Purchase(self.event_id)
            self.purchases.append(purchase)
            await purchase.settle(self._port)
            if purchase.outcome == (409, "sold_out"):
                return
            self.sold += 1
            self._progress.set()
