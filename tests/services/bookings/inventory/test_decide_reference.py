"""Random lives of events: the core decides in batches, the reference one by one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

import pytest

from services.bookings.inventory import needs, reserving, waiting
from services.bookings.inventory.changes import Entry
from services.bookings.inventory.commands import (
    Apply,
    Book,
    Booked,
    EventState,
    Outcome,
    Withdraw,
)
from services.bookings.inventory.stock import Stock
from tests.services.bookings.inventory.comparison import Comparison, search
from tests.services.bookings.inventory.lives import START

AT_ONCE = 20_000
NOTICED_WITHIN = 20_000
SEED = 20_300_101
Alter: TypeAlias = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
def test_batches_are_decided_as_if_one_by_one() -> None:
    """Random commands would break a rule of the core that no other test covers.

    Half of the commands are the same in each run, half are new. They show a seat sold
    twice, a user overtaken, a free seat while users wait, an outcome that depends on other commands
    of the batch, or a row that needs.py does not list.
    """
    search(SEED, at_once=AT_ONCE)


def test_an_event_that_shrinks_is_no_longer_held_up_by_large_parties() -> None:
    """A party larger than the shrunk event would block a smaller one far behind it."""
    comparison = Comparison(SEED)
    show = EventState(1, 1, "Concert", 5, "PUBLISHED")
    large = [Book(1, f"large {number}", 5) for number in range(5)]
    comparison.decide([Apply(show), Book(1, "a", 3), Book(1, "b", 2)], START)
    comparison.decide([*large, Book(1, "small")], START)
    comparison.decide([Withdraw(1, "b")], START)
    comparison.decide([Apply(replace(show, rev=2, capacity=4))], START)


@pytest.mark.parametrize(
    "omitted",
    [
        "exclusive_bookings",
        "offered_bookings",
        "users_bookings",
        "pasts",
        "entries",
        "named_bookings",
        "booked_events",
        "ended_holds",
        "buyers_holds",
    ],
)
def test_a_need_that_is_not_loaded_is_noticed(omitted: str) -> None:
    """Negative control: the test above would pass although needs.py forgets a row."""
    with pytest.raises((AssertionError, ValueError, KeyError)):
        Comparison(SEED, omitted=[omitted]).run(NOTICED_WITHIN)


def ignore_party_sizes(patch: pytest.MonkeyPatch) -> None:
    """Serves each party as if it wanted one seat."""

    def next_in_line(stock: Stock, now: datetime) -> Iterator[Entry]:
        yield from stock.line[: stock.free]

    patch.setattr(waiting, "_next_in_line", next_in_line)


def forget_live_bookings(patch: pytest.MonkeyPatch) -> None:
    """Expires holds but does not reduce the number of live bookings."""
    expire = waiting.expire

    def forgetful(stock: Stock, now: datetime) -> None:
        live = stock.live_bookings
        expire(stock, now)
        stock.live_bookings = live

    patch.setattr(waiting, "expire", forgetful)


def tell_the_revision_before(patch: pytest.MonkeyPatch) -> None:
    """Returns the revision before the booking."""
    book_now = reserving.book_now

    def early(*arguments: Any, **named: Any) -> Outcome:
        outcome = book_now(*arguments, **named)
        return replace(outcome, rev=outcome.rev - 1) if isinstance(outcome, Booked) else outcome

    patch.setattr(reserving, "book_now", early)


def read_the_head_alone(patch: pytest.MonkeyPatch) -> None:
    """Reads only the head of the line, however many seats come free."""
    lines = needs.lines

    def short(*arguments: Any) -> list[needs.Line]:
        return [replace(line, limit=min(line.limit, 1)) for line in lines(*arguments)]

    patch.setattr(needs, "lines", short)


def read_none_who_may_pass(patch: pytest.MonkeyPatch) -> None:
    """Reads only the head of the line although smaller parties may pass it."""
    lines = needs.lines

    def blocked(*arguments: Any) -> list[needs.Line]:
        return [replace(line, fits=None) for line in lines(*arguments)]

    patch.setattr(needs, "lines", blocked)


@pytest.mark.parametrize(
    "alter",
    [
        ignore_party_sizes,
        forget_live_bookings,
        tell_the_revision_before,
        read_the_head_alone,
        read_none_who_may_pass,
    ],
)
def test_a_broken_rule_is_noticed(alter: Alter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the comparison would pass although a rule is broken."""
    alter(monkeypatch)
    with pytest.raises(AssertionError):
        Comparison(SEED).run(NOTICED_WITHIN)
