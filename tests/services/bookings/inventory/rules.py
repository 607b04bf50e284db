"""Decides commands on events in memory, without a database."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.bookings.inventory import EventState
from services.bookings.inventory.commands import (
    Apply,
    Book,
    Booked,
    Cancelled,
    Command,
    Deferred,
    Judgement,
    LeftLine,
    Outcome,
    Reserve,
    Withdraw,
)
from services.bookings.inventory.decide import decide
from services.bookings.inventory.identities import Identities
from services.bookings.inventory.plans import NoPlans, Plans
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.stock import Stock
from services.kit.rpc.errors import Refusal
from tests.services.bookings.asking import GUEST, summaries

NOW = datetime(2026, 5, 4, 20, tzinfo=UTC)
IDS_AT_ONCE = 1_000


class Memory:
    """Stocks with all their rows loaded, and a clock that tests move."""

    def __init__(
        self, *states: EventState, offer_seconds: int = 7_200, plans: Plans | None = None
    ) -> None:
        self.now = NOW
        self.stocks: dict[int, Stock] = {}
        self._offer_seconds = offer_seconds
        self._plans = plans or NoPlans()
        self._numbers = itertools.count(1)
        for state in states:
            self.apply(state)

    def decide(self, *commands: Command) -> list[Outcome]:
        """Decides a batch."""
        for stock in self.stocks.values():
            _look_up(stock, self.now)
        fresh = Identities(itertools.islice(self._numbers, IDS_AT_ONCE), len(commands))
        context = Context(self.now, fresh, self._offer_seconds, self._plans)
        outcomes = decide(self.stocks, commands, context)
        for stock in self.stocks.values():
            _note_blocked(stock, self.now)
            expect_sound(stock)
        return [outcome for outcome in outcomes if not isinstance(outcome, Deferred)]

    def summaries(self, *commands: Command) -> list[object]:
        """Decides a batch; returns positions and reasons, see asking.summaries."""
        return summaries(self.decide(*commands))

    def apply(self, state: EventState) -> Judgement:
        """Applies a state."""
        [judgement] = self.decide(Apply(state))
        assert isinstance(judgement, Judgement)
        return judgement

    def book(self, *users: str, seats: int = 1) -> list[object]:
        """Books seats of event 1 by key; returns what `summaries` returns."""
        return self.summaries(*(Book(1, user, seats, GUEST) for user in users))

    def withdraw(self, user: str) -> Cancelled | LeftLine:
        """Withdraws a user from event 1."""
        [outcome] = self.decide(Withdraw(1, user, GUEST))
        assert isinstance(outcome, Cancelled | LeftLine), outcome
        return outcome

    def line(self) -> list[str]:
        """Lists the users who wait for event 1, in order."""
        return [entry.user_id for entry in self.stocks[1].line]

    def has(self, user: str) -> list[str]:
        """Lists the statuses of a user's live bookings of event 1."""
        return [booking.status for booking in self.stocks[1].live_of(user)]

    def pass_by(self, *, seconds: float) -> None:
        """Moves the clock forward."""
        self.now += timedelta(seconds=seconds)


def seat(user: str, event_id: int = 1) -> Reserve:
    """Makes a command for one seat."""
    return Reserve(event_id, user, viewer=GUEST)


def party(user: str, seats: int = 1, event_id: int = 1) -> Reserve:
    """Makes a command for seats of a user who may book again."""
    return Reserve(event_id, user, seats, exclusive=False, viewer=GUEST)


def made(outcome: Outcome) -> Booked:
    """Returns the booking of an outcome."""
    assert isinstance(outcome, Booked), outcome
    return outcome


def refused(outcome: Outcome) -> Refusal:
    """Returns the refusal of an outcome."""
    assert isinstance(outcome, Refusal), outcome
    return outcome


def expect_sound(stock: Stock) -> None:
    """Fails if counters, bookings, entries and changes disagree."""
    live = [] if stock.is_closed else [each for each in stock.bookings.values() if each.is_live]
    changes = [change for _, change, _ in stock.changes]
    assert stock.sold == sum(each.seat_count for each in live if each.status == "CONFIRMED")
    assert stock.held == sum(each.seat_count for each in live if each.status == "HELD")
    assert stock.live_bookings == len(live)
    assert stock.waiting == (0 if stock.is_closed else len(stock.line))
    assert 0 <= stock.sold + stock.held <= max(stock.capacity, 0) or stock.is_closed
    assert stock.sold + stock.held == sum(change.sold + change.held for change in changes)
    assert [rev for rev, _, _ in stock.changes] == list(range(1, stock.rev + 1))


def _look_up(stock: Stock, now: datetime) -> None:
    """Sets when the next hold ends, which the store reads."""
    ends = [
        booking.expires_at
        for booking in stock.bookings.values()
        if booking.status == "HELD" and booking.expires_at and booking.expires_at > now
    ]
    stock.expires_next_at = min(ends, default=None)


def _note_blocked(stock: Stock, now: datetime) -> None:
    """Saves since when a head has blocked the line, as the store does."""
    stock.line = [
        replace(entry, blocked_since=now) if entry.place in stock.blocking else entry
        for entry in stock.line
    ]
    stock.blocking.clear()
