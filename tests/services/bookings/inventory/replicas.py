"""Compares two replicas on one database with the reference.

Replicas decide commands side by side; the revisions give the order of the decisions.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby

import psycopg

from services.bookings.inventory import Ask, Inventory, transaction
from services.bookings.inventory.commands import (
    Book,
    Cancel,
    Command,
    Outcome,
    Replayed,
    Reserve,
    Withdraw,
)
from services.bookings.inventory.payment_commands import PaymentCommand, RefundEvent
from services.bookings.inventory.seat_commands import (
    Hold,
    IssueTicket,
    Release,
    ReleaseUser,
)
from services.bookings.reservations import messages
from services.bookings.seating.plan import Plan
from services.bookings.waiting_list import messages as waiting_list_messages
from services.kit.database.idempotency import Key, fingerprint
from services.kit.rpc.errors import IdempotencyKeyReused, Refusal, RequestInProgress
from tests.conftest import Database
from tests.services.bookings.inventory.comparison import BY_NUMBER, answer_of
from tests.services.bookings.inventory.lives import NO_PLANS, OFFER_SECONDS, Lives
from tests.services.bookings.inventory.reference import Reference
from tests.services.bookings.inventory.reference_event import Answer

ROUND = 80
GROUPS = (1, 1, 1, 2, 8)
# The first of several outcomes with the same revision is the one that made it.
CHANGES = frozenset(
    {"BOOKED", "WAITING", "CANCELLED", "LEFT", "SEATED", "RELEASED", "PAID", "REFUND"}
)
SIDE_BY_SIDE = (
    Reserve
    | Book
    | Withdraw
    | Cancel
    | Hold
    | Release
    | ReleaseUser
    | IssueTicket
    | PaymentCommand
    | RefundEvent
)
ANSWERS: Mapping[type[Command], transaction.Answer] = {
    Reserve: messages.create_response,
    Book: partial(waiting_list_messages.book_response, "concert"),
    Withdraw: waiting_list_messages.cancel_response,
    Cancel: messages.cancel_response,
}
NOT_KEPT = frozenset({"EVENT_NOT_FOUND", "RATE_LIMITED", "UNAVAILABLE"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and the outcome of the one time that it was decided, not repeated."""

    ask: Ask
    outcome: Outcome


class Replicas:
    """Random lives of events, decided by replicas that share only the database.

    `pause_seconds` is how long a decision takes at least. With `plans`, which the replicas have,
    most events have assigned seats.
    """

    def __init__(
        self,
        database: Database,
        inventories: Sequence[Inventory],
        seed: int,
        pause_seconds: float = 0,
        plans: Mapping[int, Plan] = NO_PLANS,
    ) -> None:
        self._compared = 0
        self._database = database
        self._inventories = inventories
        self._pause_seconds = pause_seconds
        self._reference = Reference(OFFER_SECONDS, plans)
        self._lives = Lives(seed, self._bookings, plans)
        self._made: dict[int, dict[int, int]] = {}
        self._kept: list[Asked] = []

    async def run(self, count: int) -> None:
        """Decides at least `count` commands; fails at the first difference."""
        while self._compared < count:
            await self._round()

    async def _round(self) -> None:
        """Decides some commands at one time of the clock."""
        commands = self._lives.batch()
        while len(commands) < ROUND:
            commands += self._lives.batch()
        self._stop_the_clock(self._lives.now)
        shared = [command for command in commands if isinstance(command, SIDE_BY_SIDE)]
        states = [command for command in commands if not isinstance(command, SIDE_BY_SIDE)]
        decided = await self._in_turn(states)
        side_by_side = await self._side_by_side([self._ask(command) for command in shared])
        self._expect_same(decided, sorted_by_event=False)
        self._expect_same(side_by_side, sorted_by_event=True)
        self._expect_same_ledgers({command.event_id for command in commands})
        await self._expect_repeated()
        self._compared += len(commands)

    def _bookings(self, event_id: int) -> Sequence[int]:
        event, made = self._reference.events.get(event_id), self._made.get(event_id, {})
        live = event.live if event else {}
        return [number for number, rev in made.items() if rev in live] or list(made)[-3:]

    def _stop_the_clock(self, now: datetime) -> None:
        """Sets the clock and stops it until the next call."""
        with psycopg.connect(self._database.owner_dsn) as connection:
            connection.execute("SET search_path TO bookings")
            connection.execute(f"""
                CREATE OR REPLACE FUNCTION present() RETURNS timestamptz LANGUAGE plpgsql VOLATILE
                AS $$
                BEGIN
                    PERFORM pg_sleep({self._pause_seconds});
                    RETURN '{now.isoformat()}';
                END;
                $$
            """)

    def _ask(self, command: Command) -> Ask:
        """Makes an ask for a command, sometimes with an idempotency key."""
        is_keyed = type(command) in ANSWERS and self._lives.random.random() < 0.3
        return keyed(command, self._name()) if is_keyed else Ask(command)

    def _name(self) -> str:
        return f"{self._lives.random.getrandbits(64):x}"

    async def _in_turn(self, commands: Sequence[Command]) -> list[Asked]:
        """Decides commands one after the other, each by one of the replicas."""
        decided = []
        for command in commands:
            ask = Ask(command)
            [outcome] = await self._lives.pick(self._inventories).decide([ask])
            decided.append(Asked(ask, outcome))
        while await self._lives.pick(self._inventories).close_chunk():
            pass
        return decided

    async def _side_by_side(self, asks: list[Ask]) -> list[Asked]:
        """Decides asks on all replicas at once: those with a key by each, and twice by one."""
        calls = []
        while asks:
            group = [asks.pop() for _ in range(min(len(asks), self._lives.pick(GROUPS)))]
            repeated = [ask for ask in group if ask.key]
            first, *others = self._lives.random.sample(list(self._inventories), 2)
            calls.append(_decided(first, group + repeated))
            calls += [_decided(other, repeated) for other in others]
        asked = [each for group in await asyncio.gather(*calls) for each in group]
        alone = [each for each in asked if each.ask.key is None]
        with_key = sorted((each for each in asked if each.ask.key), key=_key)
        return alone + [
            fresh for _, same in groupby(with_key, key=_key) for fresh in self._settled(list(same))
        ]

    def _settled(self, same: list[Asked]) -> list[Asked]:
        """Fails unless one of the same requests was decided, and later ones repeat its response.

        Earlier ones may have got refusals that are not stored.
        """
        fresh = [each for each in same if not _is_repeated(each.outcome)]
        kept = [each for each in fresh if not _is_not_kept(each.outcome)]
        if not kept:
            assert len(fresh) == len(same)
            return fresh
        assert len(kept) == 1, "decided twice for one key"
        for each in same:
            assert each in fresh or _repeats(each.outcome, kept[0])
        self._kept.append(kept[0])
        return fresh

    def _expect_same(self, asked: Sequence[Asked], *, sorted_by_event: bool) -> None:
        """Fails unless the reference decides the same, in the order of the revisions."""
        self._read_bookings({each.ask.command.event_id for each in asked})
        answered = [(each.ask.command, self._answer(each)) for each in asked]
        if sorted_by_event:
            answered.sort(key=lambda each: _order(each[1]))
        for command, answer in answered:
            made = self._made.get(command.event_id, {})
            named = made.get(command.booking_id) if isinstance(command, BY_NUMBER) else None
            expected = self._reference.decide(command, self._lives.now, named)
            assert answer == expected, f"{command}: {answer}, expected {expected}"

    def _answer(self, asked: Asked) -> Answer:
        return answer_of(asked.outcome, self._made.get(asked.ask.command.event_id, {}))

    def _read_bookings(self, event_ids: set[int]) -> None:
        with psycopg.connect(self._database.owner_dsn) as connection:
            rows = connection.execute(
                "SELECT event_id, booking_id, rev FROM bookings.ledger WHERE event_id = ANY (%s)"
                " AND kind IN ('RESERVED', 'SERVED', 'OFFERED', 'HELD') ORDER BY event_id, rev",
                [list(event_ids)],
            )
            for event_id, booking_id, rev in rows:
                self._made.setdefault(event_id, {})[booking_id] = rev

    def _expect_same_ledgers(self, event_ids: set[int]) -> None:
        with psycopg.connect(self._database.owner_dsn) as connection:
            for event_id in event_ids & self._reference.events.keys():
                made = self._made.get(event_id, {})
                rows = connection.execute(
                    "SELECT rev, kind, user_id, seats, place, booking_id, capacity,"
                    " coalesce(seat_ids, '{}')"
                    " FROM bookings.ledger WHERE event_id = %s ORDER BY rev",
                    [event_id],
                ).fetchall()
                expected = self._reference.events[event_id].ledger
                assert [
                    (*row, made[booking_id] if booking_id else None, capacity, tuple(seat_ids))
                    for *row, booking_id, capacity, seat_ids in rows
                ] == [(*row[:6], *row[7:]) for row in expected]

    async def _expect_repeated(self) -> None:
        """Fails unless used keys get the stored response again, and only for the same request."""
        for known in self._lives.random.sample(self._kept, min(3, len(self._kept))):
            inventory = self._lives.pick(self._inventories)
            [repeated] = await inventory.decide([known.ask])
            assert _repeats(repeated, known)
            assert known.ask.key is not None
            other = replace(known.ask.key, fingerprint=fingerprint("something else"))
            [refused] = await inventory.decide([replace(known.ask, key=other)])
            assert isinstance(refused, IdempotencyKeyReused)


def keyed(command: Command, name: str) -> Ask:
    """Makes an ask with an idempotency key."""
    operation = type(command).__name__
    key = Key("service", operation, name, fingerprint(operation, command))
    return Ask(command, key, ANSWERS[type(command)])


async def _decided(inventory: Inventory, asks: Sequence[Ask]) -> list[Asked]:
    """Decides asks, and retries those whose keys are in use elsewhere."""
    decided: list[Asked] = []
    while asks:
        outcomes = await inventory.decide(asks)
        asked = [Asked(*each) for each in zip(asks, outcomes, strict=True)]
        decided += [each for each in asked if not isinstance(each.outcome, RequestInProgress)]
        asks = [each.ask for each in asked if isinstance(each.outcome, RequestInProgress)]
    return decided


def _key(asked: Asked) -> str:
    return asked.ask.key.key if asked.ask.key else ""


def _is_not_kept(outcome: Outcome) -> bool:
    return isinstance(outcome, Refusal) and outcome.reason in NOT_KEPT


def _is_repeated(outcome: Outcome) -> bool:
    if isinstance(outcome, Refusal):
        return "replayed" in outcome.metadata
    return isinstance(outcome, Replayed)


def _repeats(outcome: Outcome, first: Asked) -> bool:
    """Returns whether an outcome is the stored response, byte for byte."""
    if isinstance(outcome, Refusal) and isinstance(first.outcome, Refusal):
        metadata = {**first.outcome.metadata, "replayed": "true"}
        return (outcome.reason, outcome.metadata) == (first.outcome.reason, metadata)
    assert first.ask.answer is not None
    written = first.ask.answer(first.outcome).SerializeToString()
    return isinstance(outcome, Replayed) and outcome.response == written


def _order(answer: Answer) -> tuple[int, bool]:
    """Sorts by revision. Answers without a revision come first."""
    kind, rev, *_ = answer
    return (rev if isinstance(rev, int) else 0, kind not in CHANGES)
