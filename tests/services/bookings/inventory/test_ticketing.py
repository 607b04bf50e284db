from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.bookings.inventory.changes import Ticket
from services.bookings.inventory.commands import Booked, Cancel, Cancelled, Outcome, Sweep, Withdraw
from services.bookings.inventory.payment_commands import Paid
from services.bookings.inventory.seat_commands import (
    IssueTicket,
    Release,
    Seated,
    Transfer,
)
from tests.services.bookings.asking import GUEST
from tests.services.bookings.inventory.payments import PRICE, paid, start
from tests.services.bookings.inventory.rules import NOW, Memory, party
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening

HALL = room(rows=2, seats=5)


@pytest.fixture
def priced() -> Memory:
    """Returns a screening whose seats cost something."""
    return Memory(screening(HALL, **PRICE), plans=plans_of(HALL))


@pytest.fixture
def free() -> Memory:
    """Returns a screening whose seats cost nothing."""
    return Memory(screening(HALL), plans=plans_of(HALL))


def booking_of(outcome: Outcome) -> int:
    """Returns the number of a booking that was made."""
    assert isinstance(outcome, Seated | Booked), outcome
    return outcome.booking.id


def ticketed(outcome: Outcome) -> tuple[Ticket, str, bool]:
    """Returns a ticket, the status of its booking, and whether anything was done."""
    assert isinstance(outcome, Seated), outcome
    assert outcome.ticket is not None
    return outcome.ticket, outcome.booking.status, outcome.changed


def bought_ticket(outcome: Outcome) -> Ticket:
    """Returns the ticket of a booking that was paid."""
    assert isinstance(outcome, Paid), outcome
    assert (outcome.booking.status, outcome.payment.received_minor > 0) == ("CONFIRMED", True)
    assert outcome.ticket is not None
    return outcome.ticket


def test_the_ticket_of_a_free_hold_confirms_it(free: Memory) -> None:
    """A free seat would be lost after ten minutes, although its user has a ticket."""
    [held] = free.decide(hold("ada", 1, 2))
    first, again = free.decide(*[IssueTicket(1, booking_of(held))] * 2)
    ticket, status, changed = ticketed(first)
    assert (ticket.valid_at, status, changed) == (NOW, "CONFIRMED", True)
    assert ticketed(again) == (ticket, "CONFIRMED", False)


def test_the_ticket_of_a_priced_hold_awaits_payment(priced: Memory) -> None:
    """Somebody would be admitted who has not paid, or their seats kept for ever."""
    [held] = priced.decide(hold("ada", 1))
    first, again = priced.decide(*[IssueTicket(1, booking_of(held))] * 2)
    ticket, status, changed = ticketed(first)
    assert (ticket.valid_at, status, changed) == (None, "HELD", True)
    assert ticketed(again) == (ticket, "HELD", False)
    priced.pass_by(seconds=600)
    [ended] = priced.decide(IssueTicket(1, booking_of(held)))
    assert getattr(ended, "reason", None) == "HOLD_EXPIRED"


def test_a_payment_makes_the_same_ticket_valid(priced: Memory) -> None:
    """A paid booking would have no ticket, or two."""
    early, late = priced.decide(hold("ada", 1), hold("bob", 2))
    [issued] = priced.decide(IssueTicket(1, booking_of(early)))
    priced.pass_by(seconds=1)
    first, second = booking_of(early), booking_of(late)
    _, bought, _, straight, again = priced.decide(
        start(first), paid(first), start(second, 2), paid(second, 2), IssueTicket(1, second)
    )
    now = NOW + timedelta(seconds=1)
    expected = replace(ticketed(issued)[0], valid_at=now)
    assert bought_ticket(bought) == expected
    assert bought_ticket(straight).valid_at == now
    assert ticketed(again) == (bought_ticket(straight), "CONFIRMED", False)


def test_a_priced_booking_that_nobody_paid_awaits_payment(priced: Memory) -> None:
    """A booking by another endpoint would come with a valid ticket for nothing."""
    [booked] = priced.decide(party("ada", 2))
    [issued] = priced.decide(IssueTicket(1, booking_of(booked)))
    assert ticketed(issued)[0].valid_at is None
    number = booking_of(booked)
    _, bought = priced.decide(start(number), paid(number, minor=1_800))
    assert bought_ticket(bought) == replace(ticketed(issued)[0], valid_at=NOW)


@pytest.mark.parametrize("command", [Release, Cancel])
def test_no_ticket_is_issued_for_what_is_over(
    free: Memory, command: type[Release | Cancel]
) -> None:
    """A seat that somebody else has by now would admit two."""
    [held] = free.decide(hold("ada", 1))
    free.decide(command(1, booking_of(held)), Sweep(1))
    [refused] = free.decide(IssueTicket(1, booking_of(held)))
    assert getattr(refused, "reason", None) == "HOLD_EXPIRED"


def given(memory: Memory, *, used_at: datetime | None = None) -> tuple[int, list[Outcome]]:
    """Transfers ada's ticket to bob; returns the number of the booking, and the outcome."""
    [held] = memory.decide(hold("ada", 1))
    booking = booking_of(held)
    memory.decide(IssueTicket(1, booking))
    memory.stocks[1].uses[booking] = used_at
    return booking, memory.decide(Transfer(1, booking, "ada", "bob"))


def reasons(outcomes: list[Outcome]) -> list[str]:
    """Returns why commands were refused."""
    return [getattr(outcome, "reason", "") for outcome in outcomes]


def test_a_transfer_changes_the_user_of_the_ticket_alone(free: Memory) -> None:
    """A seat could come free or be sold twice, or the payer lose the booking."""
    before = free.stocks[1].counters
    booking, [outcome] = given(free)
    ticket, status, changed = ticketed(outcome)
    assert (ticket.user_id, ticket.valid_at, status, changed) == ("bob", NOW, "CONFIRMED", True)
    stock = free.stocks[1]
    assert (stock.bookings[booking].user_id, stock.sold, stock.held) == ("ada", 1, 0)
    assert stock.rev == before.rev + 3
    assert reasons(free.decide(Transfer(1, booking, "ada", "eve"))) == ["TICKET_NOT_FOUND"]


def test_a_buyer_cannot_cancel_what_somebody_else_has(free: Memory) -> None:
    """A buyer could sell a ticket, and then get the money of the booking back, too."""
    booking, _ = given(free)
    by_buyer = free.decide(Cancel(1, booking), Withdraw(1, "ada", GUEST))
    assert reasons(by_buyer) == ["PERMISSION_DENIED", "BOOKING_NOT_FOUND"]
    [cancelled] = free.decide(Cancel(1, booking, by_organizer=True))
    assert isinstance(cancelled, Cancelled)
    assert reasons(free.decide(Transfer(1, booking, "bob", "eve"))) == ["TICKET_REVOKED"]


def test_only_a_valid_unused_ticket_is_transferred(free: Memory, priced: Memory) -> None:
    """Somebody could buy a ticket that admits nobody, or one that is scanned at this moment."""
    _, used = given(free, used_at=NOW)
    _, unpaid = given(priced)
    [held] = free.decide(hold("eve", 2))
    [issued] = free.decide(IssueTicket(1, booking_of(held)))
    scanned = free.decide(Transfer(1, booking_of(issued), "eve", "bob"))
    assert reasons([*used, *unpaid, *scanned]) == [
        "ALREADY_USED",
        "AWAITING_PAYMENT",
        "REQUEST_IN_PROGRESS",
    ]
