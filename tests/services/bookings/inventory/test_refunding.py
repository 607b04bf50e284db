from dataclasses import replace
from datetime import timedelta

import pytest

from services.bookings.inventory.changes import Kind
from services.bookings.inventory.commands import Book, Cancel, Cancelled, Withdraw
from services.bookings.inventory.payment_commands import RefundEvent, Refunding
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import (
    PRICE,
    give_back,
    given_back,
    number_of,
    paid,
    payment_id,
    payment_of,
    refund_id,
    refund_of,
    start,
)
from tests.services.bookings.inventory.rules import NOW, Memory, refused, seat
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening

HALL = room(rows=1, seats=4)
STARTS_AT = NOW + timedelta(hours=1)


@pytest.fixture
def memory() -> Memory:
    """Returns a screening of four seats, each of which costs 9 euros."""
    return Memory(screening(HALL, starts_at=STARTS_AT, **PRICE), plans=plans_of(HALL))


def bought(memory: Memory, user: str = "ada", seat_id: int = 1, number: int = 1) -> int:
    """Buys a seat; returns the number of the booking."""
    [held] = memory.decide(hold(user, seat_id))
    booking = number_of(held)
    memory.decide(start(booking, number), paid(booking, number))
    return booking


def refunds(memory: Memory) -> list[tuple[int, str, str]]:
    """Lists the amounts, reasons and statuses of all refunds."""
    found = memory.stocks[1].refunds
    return [(each.amount_minor, str(each.reason), each.status) for each in found]


def status(memory: Memory, number: int = 1) -> str:
    """Returns the status of a payment."""
    payment = memory.stocks[1].payments.get(payment_id(number))
    assert payment is not None
    return payment.status


def test_partial_refunds_sum_up_and_never_exceed_what_was_paid(memory: Memory) -> None:
    """An organizer could pay back more than the user has paid."""
    booking = bought(memory)
    first, again, too_much, nothing = memory.decide(
        give_back(booking, refund=1, minor=400),
        give_back(booking, refund=1, minor=400),
        give_back(booking, refund=2, minor=501),
        give_back(booking, refund=3, minor=0),
    )
    assert (payment_of(first).status, refund_of(first).amount_minor) == ("REFUND_DUE", 400)
    assert isinstance(first, Refunding)
    assert again == replace(first, changed=False)
    for outcome in (too_much, nothing):
        refusal = refused(outcome)
        assert refusal.reason == "VALIDATION_ERROR"
        [violation] = refusal.violations
        text = "must be from 1 to 500, which is left of the payment"
        assert (violation.path, violation.message) == ("amount", text)
    assert memory.has("ada") == ["CONFIRMED"]
    [back] = memory.decide(given_back(booking, refund_id(1)))
    assert payment_of(back).status == "SUCCEEDED"
    memory.decide(give_back(booking, refund=4))
    assert refunds(memory) == [(400, "REQUESTED", "REFUNDED"), (500, "REQUESTED", "DUE")]
    [nothing_left] = memory.decide(give_back(booking, refund=5))
    [violation] = refused(nothing_left).violations
    assert violation.message == "nothing is left of the payment"


def test_a_refund_of_everything_cancels_the_booking_and_serves_who_waits(memory: Memory) -> None:
    """Somebody would have a valid ticket and their money, and the seat would stay empty."""
    booking = bought(memory)
    memory.decide(hold("bob", 2, 3, 4), Book(1, "cy", 1, GUEST))
    memory.decide(give_back(booking))
    assert memory.has("ada") == []
    assert memory.has("cy") == ["HELD"]
    assert status(memory) == "REFUND_DUE"
    memory.decide(given_back(booking, refund_id(1)))
    assert status(memory) == "REFUNDED"


def test_a_refund_is_settled_once(memory: Memory) -> None:
    """A repeated answer of the provider would count the money twice."""
    booking = bought(memory)
    memory.decide(give_back(booking, minor=400))
    first, again, denied = memory.decide(
        given_back(booking, refund_id(1)),
        given_back(booking, refund_id(1)),
        given_back(booking, refund_id(1), succeeded=False),
    )
    assert refund_of(first).refunded_at == NOW
    assert isinstance(first, Refunding)
    assert again == denied == replace(first, changed=False)
    assert [change.kind for _, change, _ in memory.stocks[1].changes].count(Kind.REFUNDED) == 1


def test_a_refund_that_failed_stays_due_until_somebody_pays_it(memory: Memory) -> None:
    """Money that the provider cannot pay back would be forgotten."""
    booking = bought(memory)
    memory.decide(give_back(booking))
    [failed] = memory.decide(given_back(booking, refund_id(1), succeeded=False))
    assert refund_of(failed).status == "FAILED"
    assert status(memory) == "REFUND_DUE"
    memory.decide(given_back(booking, refund_id(1)))
    assert status(memory) == "REFUNDED"


@pytest.mark.parametrize(
    ("hours", "by_organizer", "is_refunded"), [(0, False, True), (2, False, False), (2, True, True)]
)
def test_a_cancelled_booking_is_paid_back_until_the_event_starts(
    memory: Memory, hours: int, by_organizer: bool, is_refunded: bool
) -> None:
    """Users would get money back after the show, or none when the organizer cancels."""
    booking = bought(memory)
    memory.pass_by(seconds=3_600 * hours)
    [cancelled] = memory.decide(Cancel(1, booking, by_organizer))
    assert isinstance(cancelled, Cancelled)
    assert refunds(memory) == ([(900, "BOOKING_CANCELLED", "DUE")] if is_refunded else [])
    assert status(memory) == ("REFUND_DUE" if is_refunded else "SUCCEEDED")


@pytest.mark.parametrize(
    ("minutes", "is_refunded"), [(-30, False), (-30.01, True), (30, False), (29.99, True)]
)
def test_the_event_decides_until_when_it_pays_back(minutes: float, is_refunded: bool) -> None:
    """An organizer's rule on refunds would not count, before the event starts or after."""
    until = STARTS_AT + timedelta(minutes=30 if minutes > 0 else -30)
    memory = Memory(concert(1, 2, starts_at=STARTS_AT, refund_until=until, **PRICE))
    [booked] = memory.decide(seat("ada"))
    memory.decide(start(number_of(booked)), paid(number_of(booked)))
    memory.now = STARTS_AT + timedelta(minutes=minutes)
    memory.decide(Cancel(1, number_of(booked)))
    assert refunds(memory) == ([(900, "BOOKING_CANCELLED", "DUE")] if is_refunded else [])


def test_a_withdrawn_booking_is_paid_back() -> None:
    """A user who cancels at `/cancel` would lose the money."""
    memory = Memory(concert(1, 2, **PRICE))
    [booked] = memory.decide(seat("ada"))
    booking = number_of(booked)
    memory.decide(start(booking), paid(booking))
    memory.decide(Withdraw(1, "ada", GUEST))
    assert refunds(memory) == [(900, "BOOKING_CANCELLED", "DUE")]


def test_a_partial_refund_is_completed(memory: Memory) -> None:
    """A cancellation would pay back more than was paid."""
    booking = bought(memory)
    memory.decide(give_back(booking, minor=400), Cancel(1, booking))
    assert [amount for amount, *_ in refunds(memory)] == [400, 500]


def all_written(memory: Memory) -> bool:
    """Returns whether all refunds of the event are said to be written."""
    return memory.stocks[1].refunds_written


def test_a_cancelled_event_pays_everybody_back_once(memory: Memory) -> None:
    """Some of the payments of a cancelled event would be kept, or paid back twice."""
    bookings = [bought(memory, f"user-{n}", n, n) for n in (1, 2, 3)]
    [open_still] = memory.decide(RefundEvent(1))
    assert refunds(memory) == []
    assert not all_written(memory)
    memory.pass_by(seconds=7_200)
    memory.apply(replace(screening(HALL, starts_at=STARTS_AT, **PRICE), rev=2, status="CANCELLED"))
    memory.decide(RefundEvent(1), RefundEvent(1))
    assert all_written(memory)
    assert refunds(memory) == [(900, "EVENT_CANCELLED", "DUE")] * len(bookings)
    assert getattr(open_still, "changed", True) is False


def test_refunds_of_unknown_payments_are_refused(memory: Memory) -> None:
    """A refund of another shop would be counted here."""
    booking = bought(memory)
    unknown, wrong = memory.decide(give_back(booking, number=7), given_back(booking, refund_id(7)))
    assert refused(unknown).reason == "PAYMENT_NOT_FOUND"
    assert refused(wrong).reason == "PAYMENT_NOT_FOUND"
