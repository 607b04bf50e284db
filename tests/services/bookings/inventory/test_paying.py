from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from services.bookings.inventory.changes import Change, Kind
from services.bookings.inventory.commands import Apply, Book, Cancel, Command, Outcome, Sweep
from services.bookings.inventory.payment_commands import Amount, Paid, SettlePayment
from services.bookings.inventory.seat_commands import IssueTicket, Release, Seated
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import (
    PRICE,
    declined,
    number_of,
    paid,
    paid_of,
    payment_id,
    start,
)
from tests.services.bookings.inventory.rules import NOW, Memory, made, party, refused
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening

HALL = room(rows=1, seats=4)
BOUGHT = ("SUCCEEDED", "CONFIRMED", True, True)
HOLD_SECONDS, EXTENDED_SECONDS = 600, 1_800


@pytest.fixture
def memory() -> Memory:
    """Returns a screening of four seats, each of which costs 9 euros."""
    return Memory(screening(HALL, **PRICE), plans=plans_of(HALL))


def held(memory: Memory, user: str = "ada", *seats: int) -> int:
    """Holds a seat; returns the number of the booking."""
    [outcome] = memory.decide(hold(user, *(seats or (1,))))
    return number_of(outcome)


def reasons(memory: Memory) -> list[str]:
    """Lists why money is given back."""
    return [str(refund.reason) for refund in memory.stocks[1].refunds]


def kinds(memory: Memory) -> list[Kind]:
    """Lists the kinds of the ledger's rows."""
    return [change.kind for _, change, _ in memory.stocks[1].changes]


def test_a_payment_in_time_buys_the_seats_of_a_hold(memory: Memory) -> None:
    """Somebody would pay and not be admitted."""
    booking = held(memory)
    [issued] = memory.decide(IssueTicket(1, booking))
    started, bought = memory.decide(start(booking), paid(booking))
    assert paid_of(started) == ("CREATED", "HELD", False, True)
    assert paid_of(bought) == BOUGHT
    assert isinstance(bought, Paid)
    assert isinstance(issued, Seated)
    assert issued.ticket is not None
    assert bought.ticket == replace(issued.ticket, valid_at=NOW)
    assert bought.payment.received_minor == 900
    assert bought.payment.provider_reference == "ch_1"
    assert reasons(memory) == []


def test_starting_a_payment_extends_the_hold_once(memory: Memory) -> None:
    """A slow payer would lose the seats, or keep them without end."""
    booking = held(memory)
    memory.pass_by(seconds=500)
    first, _, second = memory.decide(start(booking), declined(booking), start(booking, 2))
    for started in (first, second):
        assert isinstance(started, Paid)
        assert started.booking.expires_at == NOW + timedelta(seconds=EXTENDED_SECONDS)
    assert kinds(memory).count(Kind.EXTENDED) == 1


def test_a_declined_payment_keeps_the_hold_for_another_one(memory: Memory) -> None:
    """A mistyped number would cost the seats, or a second card could not be tried."""
    booking = held(memory)
    _, failed, *_ = memory.decide(start(booking), declined(booking))
    assert paid_of(failed) == ("FAILED", "HELD", False, True)
    [_, bought] = memory.decide(start(booking, 2), paid(booking, 2))
    assert paid_of(bought) == BOUGHT


def test_a_hold_ends_once_its_payment_has_failed(memory: Memory) -> None:
    """The clock would free seats that are being paid, or a declined payment keep them for ever."""
    booking = held(memory)
    memory.decide(start(booking))
    memory.pass_by(seconds=EXTENDED_SECONDS + 1)
    memory.decide(Sweep(1))
    assert memory.has("ada") == ["HELD"]
    memory.decide(hold("bob", 2, 3, 4), Book(1, "cy", 1, GUEST))
    [failed] = memory.decide(declined(booking))
    assert paid_of(failed) == ("FAILED", "EXPIRED", False, True)
    assert memory.has("cy") == ["HELD"]


def test_a_payment_that_fails_when_its_event_is_over_changes_no_seats(memory: Memory) -> None:
    """A closed event would free the seats of a hold a second time."""
    booking = held(memory)
    memory.decide(start(booking), event_cancelled(booking))
    memory.pass_by(seconds=EXTENDED_SECONDS + 1)
    memory.decide(declined(booking), Sweep(1))
    assert kinds(memory)[-1] is Kind.CLOSED


def test_a_payment_that_ends_after_the_hold_still_buys_it(memory: Memory) -> None:
    """A slow provider would cost the seats although nobody else could have got them."""
    booking = held(memory)
    memory.decide(start(booking))
    memory.pass_by(seconds=EXTENDED_SECONDS + 1)
    [bought] = memory.decide(paid(booking))
    assert paid_of(bought) == BOUGHT
    assert kinds(memory)[-1] is Kind.CONFIRMED


def expired(memory: Memory, user: str = "ada") -> int:
    """Holds a seat whose payment is declined, and lets the hold end."""
    booking = held(memory, user)
    memory.decide(start(booking), declined(booking))
    memory.pass_by(seconds=EXTENDED_SECONDS + 1)
    memory.decide(Sweep(1))
    return booking


def test_seats_that_are_free_again_are_regained_by_a_late_payment(memory: Memory) -> None:
    """Somebody who paid would get nothing but their money although the seats are free."""
    booking = expired(memory)
    [bought] = memory.decide(paid(booking))
    assert paid_of(bought) == BOUGHT
    assert kinds(memory)[-1] is Kind.REGAINED
    stock = memory.stocks[1]
    assert (stock.sold, stock.held, stock.live_bookings) == (1, 0, 1)
    assert stock.seats.sold == 0b1
    assert reasons(memory) == []


def taken_by_another(memory: Memory) -> None:
    """Holds the seat for another user."""
    held(memory, "bob", 1)


def somebody_waits(memory: Memory) -> None:
    """Holds all seats but one, and lets a party wait."""
    held(memory, "bob", 2, 3, 4)
    memory.decide(Book(1, "cy", 2, GUEST))


def sale_is_over(memory: Memory) -> None:
    """Ends the sale."""
    memory.apply(replace(screening(HALL, **PRICE), rev=2, status="COMPLETED"))


@pytest.mark.parametrize("meanwhile", [taken_by_another, somebody_waits, sale_is_over])
def test_a_late_payment_is_given_back_when_the_seats_are_gone(
    memory: Memory, meanwhile: Callable[[Memory], None]
) -> None:
    """A seat would be sold twice, a waiting user overtaken, or the money kept."""
    booking = expired(memory)
    meanwhile(memory)
    [late] = memory.decide(paid(booking))
    assert paid_of(late) == ("REFUND_DUE", "EXPIRED", False, True)
    assert reasons(memory) == ["SEATS_GONE"]


def test_a_late_payment_is_given_back_beside_another_booking_of_its_user() -> None:
    """A user would have two bookings of an event that allows one."""
    memory = Memory(screening(HALL, one_booking_per_user=True, **PRICE), plans=plans_of(HALL))
    booking = expired(memory)
    held(memory, "ada", 2)
    [late] = memory.decide(paid(booking))
    assert paid_of(late) == ("REFUND_DUE", "EXPIRED", False, True)


def offered(memory: Memory) -> int:
    """Sells both places, offers them to a party that waits, and lets nobody else wait."""
    memory.decide(party("bob", 2))
    memory.decide(Book(1, "ada", 2, GUEST))
    memory.decide(Cancel(1, memory.stocks[1].live_of("bob")[0].id))
    [offer] = memory.stocks[1].live_of("ada")
    assert offer.place is not None
    return offer.id


def test_a_payment_accepts_an_offer() -> None:
    """A waiting user would pay and lose the offer, or stay in the list with seats."""
    memory = Memory(concert(1, 2, **PRICE))
    booking = offered(memory)
    [_, bought] = memory.decide(start(booking), paid(booking, 1, 1_800))
    assert paid_of(bought) == BOUGHT
    assert kinds(memory)[-1] is Kind.ACCEPTED


@pytest.mark.parametrize(("others", "regained"), [(0, True), (1, False)])
def test_places_without_numbers_are_regained_while_enough_are_free(
    others: int, regained: bool
) -> None:
    """General admission would refund everybody, or be oversold."""
    memory = Memory(concert(1, 2, **PRICE))
    booking = offered(memory)
    memory.decide(start(booking), declined(booking))
    memory.pass_by(seconds=7_200)
    memory.decide(Sweep(1), *[party("cy")] * others)
    [late] = memory.decide(paid(booking, 1, 1_800))
    assert (paid_of(late) == BOUGHT) is regained
    assert reasons(memory) == ([] if regained else ["SEATS_GONE"])


def released(booking: int) -> Command:
    """Ends the hold early."""
    return Release(1, booking)


def cancelled(booking: int) -> Command:
    """Cancels the booking."""
    return Cancel(1, booking)


def event_cancelled(_: int) -> Command:
    """Cancels the event."""
    return Apply(replace(screening(HALL, **PRICE), rev=2, status="CANCELLED"))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (released, "BOOKING_CANCELLED"),
        (cancelled, "BOOKING_CANCELLED"),
        (event_cancelled, "EVENT_CANCELLED"),
    ],
)
def test_money_for_a_booking_that_is_over_is_given_back(
    memory: Memory, ending: Callable[[int], Command], reason: str
) -> None:
    """The money of a booking that was cancelled meanwhile would be kept."""
    booking = held(memory)
    memory.decide(start(booking), ending(booking))
    [late] = memory.decide(paid(booking))
    assert isinstance(late, Paid)
    assert late.payment.status == "REFUND_DUE"
    assert reasons(memory) == [reason]


def test_two_payments_buy_one_ticket_and_one_is_given_back(memory: Memory) -> None:
    """A card that was declined at first and charged after all would be charged twice."""
    booking = held(memory)
    memory.decide(start(booking), declined(booking), start(booking, 2))
    second, first = memory.decide(paid(booking, 2), paid(booking, 1))
    assert paid_of(second) == BOUGHT
    assert paid_of(first)[:2] == ("REFUND_DUE", "CONFIRMED")
    assert reasons(memory) == ["PAID_TWICE"]


@pytest.mark.parametrize(("minor", "currency"), [(899, "EUR"), (901, "EUR"), (900, "USD")])
def test_another_amount_is_given_back_and_confirms_nothing(
    memory: Memory, minor: int, currency: str
) -> None:
    """A forged or mistaken amount would buy seats."""
    booking = held(memory)
    [_, settled] = memory.decide(start(booking), paid(booking, 1, minor, currency))
    assert paid_of(settled) == ("REFUND_DUE", "HELD", False, True)
    assert isinstance(settled, Paid)
    assert settled.payment.mismatched
    [refund] = memory.stocks[1].refunds
    assert (refund.amount_minor, refund.currency, refund.reason) == (
        minor,
        currency,
        "AMOUNT_DIFFERS",
    )


@pytest.mark.parametrize("settlement", [paid, declined])
def test_settling_a_payment_twice_changes_nothing(
    memory: Memory, settlement: Callable[[int], SettlePayment]
) -> None:
    """A webhook that comes twice would confirm, refund or count twice."""
    booking = held(memory)
    _, first = memory.decide(start(booking), settlement(booking))
    rows = len(memory.stocks[1].changes)
    memory.pass_by(seconds=1)
    for again in memory.decide(*[settlement(booking), declined(booking)]):
        assert isinstance(first, Paid)
        assert again == replace(first, changed=False)
    assert len(memory.stocks[1].changes) == rows


def test_a_payment_cannot_be_started_twice(memory: Memory) -> None:
    """Two cards would be charged for one booking at once, or after it was paid."""
    booking = held(memory)
    first, repeated, second = memory.decide(start(booking), start(booking), start(booking, 2))
    assert paid_of(first) == ("CREATED", "HELD", False, True)
    assert paid_of(repeated) == ("CREATED", "HELD", False, False)
    assert refused(second).reason == "REQUEST_IN_PROGRESS"
    [_, third] = memory.decide(paid(booking), start(booking, 3))
    assert refused(third).reason == "ALREADY_PAID"


def outcome_reason(outcome: Outcome) -> tuple[str, list[str]]:
    """Returns the reason of a refusal and the fields that it names."""
    refusal = refused(outcome)
    return refusal.reason, [violation.path for violation in refusal.violations]


def test_a_booking_that_cannot_be_paid_is_refused(memory: Memory) -> None:
    """A payment would be taken for nothing, for another price, or for seats that are gone."""
    booking = held(memory)
    unknown, dearer, foreign = memory.decide(
        start(99), start(booking, 1, Amount(901, "EUR")), start(booking, 1, Amount(900, "USD"))
    )
    assert outcome_reason(unknown) == ("RESERVATION_NOT_FOUND", [])
    assert outcome_reason(dearer) == ("VALIDATION_ERROR", ["amount"])
    assert outcome_reason(foreign) == ("VALIDATION_ERROR", ["amount"])
    memory.pass_by(seconds=HOLD_SECONDS)
    [ended] = memory.decide(start(booking, 1, Amount(900, "EUR")))
    assert outcome_reason(ended) == ("HOLD_EXPIRED", [])
    assert list(memory.stocks[1].payments) == []
    free = Memory(screening(HALL), plans=plans_of(HALL))
    [costs_nothing] = free.decide(start(held(free)))
    assert outcome_reason(costs_nothing) == ("ALREADY_PAID", [])


def test_a_confirmed_booking_that_nobody_paid_can_be_paid(memory: Memory) -> None:
    """Bookings of before payments could never get a valid ticket."""
    [booked] = memory.decide(party("ada", 2))
    confirmed = replace(made(booked).booking, status="CONFIRMED", expires_at=None)
    memory.stocks[1].record(Change(Kind.CONFIRMED, "ada", confirmed, sold=2, held=-2))
    [started, bought] = memory.decide(
        start(number_of(booked), 1, Amount(1_800, "EUR")), paid(number_of(booked), 1, 1_800)
    )
    assert paid_of(started) == ("CREATED", "CONFIRMED", False, True)
    assert paid_of(bought) == BOUGHT


def test_a_settlement_of_an_unknown_payment_is_refused(memory: Memory) -> None:
    """A webhook about another shop's payment would confirm a booking."""
    booking = held(memory)
    [outcome] = memory.decide(paid(booking, 7))
    assert refused(outcome).reason == "PAYMENT_NOT_FOUND"
    assert memory.stocks[1].payments.get(payment_id(7)) is None
