"""Where buyers send their requests: records each response, and repeats what is not known."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from deploy.load.client import Answer, Client
from deploy.load.errors import LoadError, NotAllowedError
from deploy.load.purchases import Outcome, Purchase
from deploy.load.requests import Requests
from deploy.load.series import Kind, Series

PAUSE_SECONDS = 1
"""Before a request is repeated whose response had no `Retry-After`."""
MOST_REPEATING = 50
"""Purchases that are settled at once after the run."""


class NotDoneError(Exception):
    """The system kept answering that nothing was done, until the buyer gave up."""


class UnsettledError(Exception):
    """The outcome of a request is not known, although it was repeated."""


@dataclass(slots=True)
class Shop:
    """Sends requests of buyers.

    `stop` ends the run: nobody begins anything new, but what is not known is still asked for, for
    at most `patience_seconds` each. `failure` is why the run cannot go on.
    """

    client: Client
    requests: Requests
    series: Series = field(default_factory=Series)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    patience_seconds: float = 60
    pause_seconds: float = PAUSE_SECONDS
    purchases: list[Purchase] = field(default_factory=list)
    planned: int = 0
    """How many purchases there will be."""
    finished: int = 0
    looks: int = 0
    skipped: int = 0
    """Requests that were not sent because too many waited for a connection."""
    late_seconds: float = 0.0
    failure: LoadError | None = None

    def new_purchase(self, user_id: str, wanted: int = 0) -> Purchase:
        """Adds a purchase."""
        purchase = Purchase(user_id, wanted)
        self.purchases.append(purchase)
        return purchase

    def reserve_once(self, purchase: Purchase, due: float) -> None:
        """Asks for a seat without waiting for the response and without repeating it."""

        def on_answer(answer: Answer | None) -> None:
            self._learn(purchase, answer, due)
            self.finished += 1

        purchase.is_sending()
        self.client.send(self.requests.book(purchase), on_answer)

    async def book(
        self, purchase: Purchase, *, due: float | None = None, deadline: float | None = None
    ) -> bool:
        """Asks for a booking until its outcome is known; returns whether there is one."""
        deadline = deadline or time.monotonic() + self.patience_seconds
        request = self.requests.book(purchase)
        while not (self.stop.is_set() and purchase.outcome in {Outcome.UNSENT, Outcome.NOT_DONE}):
            due = time.monotonic() if due is None else due
            purchase.is_sending()
            answer = await self.client.ask(request)
            kind = self._learn(purchase, answer, due)
            if kind in {Kind.DONE, Kind.REFUSED}:
                return kind is Kind.DONE
            if time.monotonic() > deadline:
                break
            await self._wait_to_repeat(answer, is_known=purchase.outcome is Outcome.NOT_DONE)
            due = None
        return False

    async def ask(self, request: bytes) -> Answer:
        """Asks for anything else about a purchase until the response is known.

        Raises NotDoneError and UnsettledError.
        """
        deadline, is_unknown = time.monotonic() + self.patience_seconds, False
        while True:
            asked = time.monotonic()
            answer = await self.client.ask(request)
            kind = self._record(answer, asked)
            if answer is not None and kind in {Kind.DONE, Kind.REFUSED}:
                return answer
            is_unknown = is_unknown or kind is Kind.UNKNOWN
            if time.monotonic() > deadline or (self.stop.is_set() and not is_unknown):
                raise UnsettledError if is_unknown else NotDoneError
            await self._wait_to_repeat(answer, is_known=not is_unknown)

    async def look(self) -> None:
        """Reads how many seats are left."""
        self.looks += 1
        answer = await self.client.ask(self.requests.look())
        if answer is not None and answer.status == 200:
            self.series.show_left(answer.json["left"])

    async def pause(self, seconds: float) -> None:
        """Waits, but not longer than the run lasts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stop.wait()

    async def settle(self) -> None:
        """Repeats the requests of purchases whose outcome is unknown, with their keys."""
        unknown = [one for one in self.purchases if one.outcome is Outcome.UNKNOWN]
        gate = asyncio.Semaphore(MOST_REPEATING)
        deadline = time.monotonic() + self.patience_seconds

        async def repeat(purchase: Purchase) -> None:
            async with gate:
                if time.monotonic() < deadline:
                    await self.book(purchase, deadline=deadline)

        await asyncio.gather(*map(repeat, unknown))

    def fail(self, failure: LoadError) -> None:
        """Ends the run because of a failure; the first one counts."""
        self.failure = self.failure or failure
        self.stop.set()

    def _learn(self, purchase: Purchase, answer: Answer | None, due: float) -> Kind:
        kind = self._record(answer, due)
        purchase.learn(kind, answer)
        if purchase.outcome is Outcome.BOOKED:
            self.series.sell(max(1, len(purchase.seat_ids)))
        return kind

    def _record(self, answer: Answer | None, due: float) -> Kind:
        if answer is not None and answer.status in {401, 403}:
            self.fail(NotAllowedError("booking for made-up users", answer.code))
        return self.series.record(answer, due)

    async def _wait_to_repeat(self, answer: Answer | None, *, is_known: bool) -> None:
        """Waits as the response says. After the end of the run only the unknown is repeated."""
        hinted = answer.retry_after_seconds if answer is not None else None
        seconds = self.pause_seconds if hinted is None else min(hinted, self.patience_seconds)
        if is_known:
            await self.pause(seconds)
        else:
            await asyncio.sleep(seconds)  # as the response asks for
