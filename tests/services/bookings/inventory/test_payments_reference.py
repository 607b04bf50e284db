"""Random lives with payments: the core decides in batches, the reference one by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from services.bookings.errors import Contradiction
from services.bookings.inventory import paying, refunding, releasing
from services.bookings.inventory.changes import Payment
from services.bookings.inventory.stock import Stock
from tests.services.bookings.inventory.comparison import Comparison, search

AT_ONCE = 3_000
NOTICED_WITHIN = 20_000
SEED = 20_300_103
Alter: TypeAlias = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.slow
@pytest.mark.parametrize("seated", [False, True])
def test_payments_are_decided_as_if_one_by_one(seated: bool) -> None:
    """Random commands would break a rule of payments that no other test covers.

    Half of the commands are the same in each run, half are new. They show a payment without a
    ticket or a refund, or with both, more given back than was paid, seats that a late payment
    takes from somebody, or an outcome that depends on other commands of the batch.
    """
    search(SEED, at_once=AT_ONCE, seated=seated, paying=True)


@pytest.mark.parametrize(
    "omitted",
    [
        "named_payments",
        "named_refunds",
        "unrefunded_payments",
        "sold_bookings",
    ],
)
def test_a_need_that_is_not_loaded_is_noticed(omitted: str) -> None:
    """Negative control: the test above would pass although needs.py forgets a row."""
    with pytest.raises((AssertionError, Contradiction, KeyError)):
        Comparison(SEED, omitted=[omitted], seated=True, paying=True).run(NOTICED_WITHIN)


def extend_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Extends a hold with each payment."""
    extend = releasing.extend_once

    def again(stock: Stock, booking: Any, context: Any) -> object:
        return extend(stock, replace(booking, extended_at=None), context)

    patch.setattr(paying, "extend_once", again)


def give_nothing_back(patch: pytest.MonkeyPatch) -> None:
    """Keeps the money of payments that buy nothing."""

    def keep(_: Stock, payment: Payment, *__: object, **___: object) -> Payment:
        return payment

    patch.setattr(paying, "give_back_rest", keep)


def let_holds_end(patch: pytest.MonkeyPatch) -> None:
    """Lets nobody end a hold whose payment has failed."""
    patch.setattr(paying, "_end_attempt", lambda *_: False)


def regain_always(patch: pytest.MonkeyPatch) -> None:
    """Takes the seats of expired bookings back, whoever has them by now."""
    patch.setattr(paying, "_can_be_regained", lambda *_: True)


def forget_the_sums(patch: pytest.MonkeyPatch) -> None:
    """Refunds the whole payment, whatever was refunded before."""
    patch.setattr(Payment, "left_minor", property(lambda payment: payment.received_minor))


def keep_the_booking(patch: pytest.MonkeyPatch) -> None:
    """Refunds all money and leaves the booking confirmed."""
    patch.setattr(refunding, "_cancel", lambda *_: None)


@pytest.mark.parametrize(
    "alter",
    [
        extend_for_ever,
        give_nothing_back,
        let_holds_end,
        regain_always,
        forget_the_sums,
        keep_the_booking,
    ],
)
def test_a_broken_rule_is_noticed(alter: Alter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the comparison would pass although a rule is broken."""
    alter(monkeypatch)
    with pytest.raises((AssertionError, Contradiction, KeyError)):
        Comparison(SEED, seated=True, paying=True).run(NOTICED_WITHIN)
