"""Random lives with assigned seats: the core decides in batches, the reference one by one."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from services.bookings.errors import Contradiction
from services.bookings.inventory import holding, seats, shortages
from services.bookings.inventory.seat_map import SeatMap
from services.bookings.inventory.stock import Stock
from tests.services.bookings.inventory.comparison import Comparison, search

AT_ONCE = 3_000
NOTICED_WITHIN = 10_000
SEED = 20_300_102
Alter: TypeAlias = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
def test_seats_are_given_as_if_one_by_one() -> None:
    """Random commands would break a rule of assigned seats that no other test covers.

    Half of the commands are the same in each run, half are new. They show a seat given twice or
    lost, a wrong reason, time or price, a map that differs from the claims, or an outcome that
    depends on other commands of the batch.
    """
    search(SEED, at_once=AT_ONCE, seated=True)


@pytest.mark.parametrize("omitted", ["seat_holders", "users_holds", "named_tickets"])
def test_a_need_that_is_not_loaded_is_noticed(omitted: str) -> None:
    """Negative control: the test above would pass although needs.py forgets a row."""
    with pytest.raises((AssertionError, Contradiction)):
        Comparison(SEED, omitted=[omitted], seated=True).run(NOTICED_WITHIN)


def give_blocked_seats(patch: pytest.MonkeyPatch) -> None:
    """Counts blocked seats as free."""

    def free_map(stock: Stock) -> int:
        assert stock.plan is not None
        return stock.plan.every_seat & ~(stock.seats.taken & ~stock.seats.blocked)

    for module in (holding, seats):
        patch.setattr(module, "free_map", free_map)


def keep_the_map(patch: pytest.MonkeyPatch) -> None:
    """Frees claims but leaves their bits set."""
    free = SeatMap.free

    def forgetful(seat_map: SeatMap, *arguments: Any) -> None:
        taken = seat_map.taken
        free(seat_map, *arguments)
        seat_map.taken = taken

    patch.setattr(SeatMap, "free", forgetful)


def sell_nothing(patch: pytest.MonkeyPatch) -> None:
    """Confirms holds but leaves their seats held in the map."""
    patch.setattr(SeatMap, "sell", lambda *_, **__: None)


def strand_seats(patch: pytest.MonkeyPatch) -> None:
    """Accepts choices that leave a single seat free."""
    patch.setattr(holding, "stranding", lambda *_: None)


def free_at_once(patch: pytest.MonkeyPatch) -> None:
    """Returns when the first hold ends instead of the last."""
    explain = shortages._free_again_at

    def early(stock: Stock, taken: list[int]) -> object:
        return explain(stock, taken[:1])

    patch.setattr(shortages, "_free_again_at", early)


@pytest.mark.parametrize(
    "alter",
    [
        give_blocked_seats,
        keep_the_map,
        sell_nothing,
        strand_seats,
        free_at_once,
    ],
)
def test_a_broken_rule_is_noticed(alter: Alter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the comparison would pass although a rule is broken."""
    alter(monkeypatch)
    with pytest.raises((AssertionError, OverflowError)):
        Comparison(SEED, seated=True).run(NOTICED_WITHIN)
