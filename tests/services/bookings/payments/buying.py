"""A screening whose seats are held, paid, cancelled and paid back, at replicas that crash."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import psycopg

from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Cancel, Command, Outcome
from services.bookings.inventory.payment_commands import Paid, RefundPayment, StartPayment
from services.bookings.inventory.seat_commands import Release, Seated
from services.bookings.payments.attempts import Attempts
from services.bookings.payments.looks import Looks
from services.bookings.payments.provider_events import ProviderEvents, Webhook
from services.bookings.payments.providers import Providers
from services.bookings.payments.refunds import Refunds
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Internal, Refusal
from tests.conftest import Database
from tests.services.bookings.conftest import clock_forward
from tests.services.bookings.inventory.payments import PRICE
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening
from tests.services.bookings.payments.bank import TOKENS, Bank

HALL = room(rows=1, seats=3)
ENDED_SECONDS = 2_000
Step: TypeAlias = tuple[str, int, int]
"""What is done, to which of the known bookings, payments or news, and how."""


class Crash(Exception):  # noqa: N818 - it stands for a process that is gone
    """The process died."""


class Crashes:
    """Stands for the failpoints: the armed one ends what passes it."""

    def __init__(self) -> None:
        self.armed = ""

    def failpoint(self, name: str) -> None:
        """Crashes once at the armed failpoint."""
        if name == self.armed:
            self.armed = ""
            raise Crash


class Replica:
    """One bookings process."""

    def __init__(self, pool: Pool, bank: Bank) -> None:
        providers = Providers([bank])
        self.inventory = Inventory(pool, plans=plans_of(HALL))
        self.attempts = Attempts(pool, self.inventory, providers)
        self.looks = Looks(pool, self.attempts, bank)
        self.refunds = Refunds(pool, self.inventory, bank)
        self.events = ProviderEvents(self.attempts, providers)


class Buying:
    """One screening with its bank, and what was made of it."""

    seconds = 0
    """How far the clock of the database was put forward, for all screenings."""

    def __init__(self, pool: Pool, database: Database, event_id: int, crashes: Crashes) -> None:
        """Opens a connection as the owner of the schema, which `close` closes."""
        self.event_id = event_id
        options = "-c search_path=bookings"
        self._owner = psycopg.connect(database.owner_dsn, options=options, autocommit=True)
        self.bank = Bank()
        self.payments: list[tuple[UUID, int, str]] = []
        self._pool = pool
        self._database = database
        self._crashes = crashes
        self._bookings: list[int] = []
        self._replicas = [Replica(pool, self.bank) for _ in range(2)]

    async def open(self) -> None:
        """Puts the screening on, and forgets the payments of others."""
        self.read("DELETE FROM payments")
        self.read("DELETE FROM refunds")
        await self._replicas[0].inventory.apply(screening(HALL, self.event_id, **PRICE))

    async def do(self, steps: Sequence[Step], crash: str = "") -> None:
        """Takes steps at once, on both replicas in turn. A crash ends both; others start.

        Raises what fails for another reason than a crash.
        """
        self._crashes.armed = crash
        doing = (self._take(self._replicas[number % 2], step) for number, step in enumerate(steps))
        results = await asyncio.gather(*doing, return_exceptions=True)
        if self._crashes.armed != crash:
            self._replicas = [Replica(self._pool, self.bank) for _ in range(2)]
            return
        self._crashes.armed = ""
        for error in results:
            if isinstance(error, BaseException) and not isinstance(error, Refusal):
                raise error
            assert not isinstance(error, Internal)

    async def settle_down(self) -> None:
        """Lets the bank and all workers finish their work."""
        self.bank.loses_answers = False
        for payment_id, _, _ in self.payments:
            self.bank.finish(payment_id)
        for number in range(len(self.bank.news)):
            await self.do([("news", number, 0)])
        self._forward(ENDED_SECONDS)
        for kind in ("sweep", "close chunk", "look", "pay back"):
            await self.do([(kind, 0, 0)])
        while self.read(
            "SELECT FROM payments WHERE status = 'CREATED' UNION ALL"
            " SELECT FROM refunds WHERE status = 'DUE'"
        ):
            await self.do([("look", 0, 0), ("pay back", 0, 0)])

    def read(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Runs a statement as the owner of the schema; returns its rows."""
        cursor = self._owner.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Closes its connection."""
        self._owner.close()

    async def _take(self, replica: Replica, step: Step) -> None:
        kind, which, how = step
        await _STEPS[kind](self, replica, which, how)

    async def _hold(self, replica: Replica, which: int, how: int) -> int:
        seat_id = which % HALL.seat_count + 1
        made = await self._ask(replica, hold(f"user-{how % 3}", seat_id, event_id=self.event_id))
        if isinstance(made, Seated):
            self._bookings.append(made.booking.id)
        return len(self._bookings) - 1

    async def _start(self, replica: Replica, which: int, how: int) -> None:
        if not self._bookings:
            return
        booking, payment_id = self._bookings[which % len(self._bookings)], uuid4()
        token = TOKENS[how % len(TOKENS)]
        self.payments.append((payment_id, booking, token))
        command = StartPayment(self.event_id, booking, payment_id, self.bank.name, "card")
        if isinstance(await self._ask(replica, command), Paid):
            await self._charge(replica, payment_id, token)

    async def _buy(self, replica: Replica, which: int, how: int) -> None:
        await self._start(replica, await self._hold(replica, which, how), how)

    async def _repeat(self, replica: Replica, which: int, _: int) -> None:
        if self.payments:
            payment_id, _booking, token = self.payments[which % len(self.payments)]
            await self._charge(replica, payment_id, token)

    async def _charge(self, replica: Replica, payment_id: UUID, token: str) -> None:
        found = await replica.attempts.find([payment_id])
        await replica.attempts.start([(attempt, token) for attempt in found.values()])

    async def _finish(self, _: Replica, which: int, __: int) -> None:
        if self.payments:
            self.bank.finish(self.payments[which % len(self.payments)][0])

    async def _news(self, replica: Replica, which: int, _: int) -> None:
        if self.bank.news:
            number = which % len(self.bank.news)
            await replica.events.receive(self.bank.name, [Webhook(str(number).encode(), {})])

    async def _look(self, replica: Replica, _: int, __: int) -> None:
        self.read("UPDATE payments SET next_look_at = now() WHERE status = 'CREATED'")
        while await replica.looks.look():
            pass

    async def _pay_back(self, replica: Replica, _: int, __: int) -> None:
        self.read("UPDATE refunds SET next_try_at = now() WHERE status = 'DUE'")
        while await replica.refunds.pay_back():
            pass

    async def _end(self, replica: Replica, which: int, how: int) -> None:
        if self._bookings:
            booking = self._bookings[which % len(self._bookings)]
            by_organizer = bool(how & 1)
            cancel = Cancel(self.event_id, booking, by_organizer)
            await self._ask(replica, Release(self.event_id, booking) if how & 2 else cancel)

    async def _refund(self, replica: Replica, which: int, how: int) -> None:
        if self.payments:
            payment_id, booking, _ = self.payments[which % len(self.payments)]
            amount = (None, 1, 400, 900)[how % 4]
            command = RefundPayment(self.event_id, booking, payment_id, uuid4(), amount)
            await self._ask(replica, command)

    async def _sweep(self, replica: Replica, _: int, __: int) -> None:
        await replica.inventory.sweep()

    async def _lose(self, _: Replica, __: int, how: int) -> None:
        self.bank.loses_answers = bool(how & 1)

    async def _pass(self, _: Replica, __: int, how: int) -> None:
        self._forward((61, ENDED_SECONDS)[how & 1])

    async def _close(self, replica: Replica, _: int, __: int) -> None:
        state = screening(HALL, self.event_id, rev=2, status="CANCELLED", **PRICE)
        await replica.inventory.apply(state)

    async def _close_chunk(self, replica: Replica, _: int, __: int) -> None:
        while await replica.inventory.refund_chunk():
            pass
        while await replica.inventory.close_chunk():
            pass

    def _forward(self, seconds: int) -> None:
        Buying.seconds += seconds
        clock_forward(self._database, seconds=Buying.seconds)

    async def _ask(self, replica: Replica, command: Command) -> Outcome:
        [outcome] = await replica.inventory.decide([Ask(command)])
        if isinstance(outcome, Internal):
            raise outcome
        return outcome


_STEPS: dict[str, Callable[[Buying, Replica, int, int], Awaitable[object]]] = {
    "buy": Buying._buy,
    "hold": Buying._hold,
    "start": Buying._start,
    "repeat": Buying._repeat,
    "finish": Buying._finish,
    "news": Buying._news,
    "look": Buying._look,
    "pay back": Buying._pay_back,
    "end": Buying._end,
    "refund": Buying._refund,
    "sweep": Buying._sweep,
    "lose answers": Buying._lose,
    "pass": Buying._pass,
    "close": Buying._close,
    "close chunk": Buying._close_chunk,
}
KINDS = tuple(_STEPS)
