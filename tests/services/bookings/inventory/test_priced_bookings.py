from datetime import timedelta
from typing import Any

import pytest

from services.bookings.errors import TooManyHolds
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Book, Cancel, Command, Reserve, Sweep
from services.bookings.inventory.seat_commands import IssueTicket, Seated
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import paid, start
from tests.services.bookings.inventory.rules import NOW, Memory, made, party, refused, seat
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening

PRICED: dict[str, Any] = {"price_amount_minor": 1250, "price_currency": "EUR"}
HALL = room(rows=2, seats=5)
MINUTE = 60
ADA = "acct_ada"
WAYS: dict[str, Any] = {
    "reserve": lambda user: Reserve(1, user, viewer=GUEST),
    "create": lambda user: Reserve(1, user, 1, False, GUEST),
    "ticket": lambda user: Book(1, user, 1, GUEST),
}


def booked(memory: Memory, command: Command) -> Booking:
    """Books seats; returns the booking."""
    [outcome] = memory.decide(command)
    return made(outcome).booking


def too_many(memory: Memory, command: Command) -> str:
    """Returns after how many seconds a user who holds too much may try again."""
    [refusal] = memory.decide(command)
    assert isinstance(refusal, TooManyHolds)
    return refusal.metadata["retry_after_seconds"]


@pytest.mark.parametrize("way", WAYS)
def test_a_seat_with_a_price_is_held_until_it_is_paid(way: str) -> None:
    """Some way of booking would give a seat away unpaid, or hold it for ever."""
    memory = Memory(concert(**PRICED))
    booking = booked(memory, WAYS[way]("ada"))
    assert (booking.status, booking.price_amount_minor) == ("HELD", 1250)
    assert booking.expires_at == NOW + timedelta(minutes=10)
    stock = memory.stocks[1]
    assert (stock.held, stock.sold, stock.next_expiry_at) == (1, 0, booking.expires_at)
    memory.decide(start(booking.id), paid(booking.id, minor=1_250))
    assert (memory.has("ada"), stock.held, stock.sold) == (["CONFIRMED"], 0, 1)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("price", [{}, {"price_amount_minor": 0, "price_currency": "EUR"}])
def test_a_seat_without_a_price_is_confirmed_at_once(way: str, price: dict[str, Any]) -> None:
    """A free seat would be lost after ten minutes, although there is nothing to pay."""
    booking = booked(Memory(concert(**price)), WAYS[way]("ada"))
    assert (booking.status, booking.expires_at) == ("CONFIRMED", None)


def test_the_price_of_the_very_seats_decides() -> None:
    """Seats of a free type would wait for a payment of nothing, or those of a priced type not."""
    prices: dict[str, Any] = {**PRICED, "seat_type_prices": {"REGULAR": 0}}
    free = Memory(screening(HALL, **prices), plans=plans_of(HALL))
    assert booked(free, party("ada", 2)).status == "CONFIRMED"
    prices = {**PRICED, "price_amount_minor": 0, "seat_type_prices": {"REGULAR": 900}}
    priced = Memory(screening(HALL, **prices), plans=plans_of(HALL))
    booking = booked(priced, party("ada", 2))
    assert (booking.status, booking.price_amount_minor) == ("HELD", 1800)
    assert len(booking.seat_ids) == 2


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("next_one", [Sweep(1), seat("walk-in")])
def test_an_unpaid_seat_goes_to_those_who_wait(way: str, next_one: Command) -> None:
    """A hold that ended would keep its seat, or a passer-by would get it before the list."""
    memory = Memory(concert(capacity=1, **PRICED))
    memory.decide(WAYS[way]("ada"))
    assert memory.book("bob") == [1]
    memory.pass_by(seconds=10 * MINUTE)
    memory.decide(next_one)
    assert (memory.has("ada"), memory.has("bob"), memory.line()) == ([], ["HELD"], [])
    [offer] = memory.stocks[1].live_of("bob")
    assert offer.expires_at == memory.now + timedelta(hours=2)


def test_a_held_seat_is_the_one_booking_of_its_user() -> None:
    """A user would hold a second seat, or not learn which booking is to be paid."""
    memory = Memory(concert(**PRICED))
    booking = booked(memory, seat("ada"))
    for again in (seat("ada"), Book(1, "ada", 1, GUEST)):
        [refusal] = memory.decide(again)
        assert refused(refusal).reason == "ALREADY_BOOKED"
        assert refused(refusal).metadata["booking_id"] == str(booking.id)
    memory.pass_by(seconds=10 * MINUTE)
    assert booked(memory, seat("ada")).id != booking.id


def test_a_ticket_for_a_held_seat_awaits_payment() -> None:
    """A ticket would admit somebody who has not paid, or confirm the booking."""
    memory = Memory(concert(**PRICED))
    [outcome] = memory.decide(IssueTicket(1, booked(memory, party(ADA, 2)).id))
    assert isinstance(outcome, Seated)
    assert outcome.ticket
    assert (outcome.booking.status, outcome.ticket.valid_at) == ("HELD", None)


def test_a_user_holds_as_many_seats_as_one_request_books() -> None:
    """A large party could not book at all, or one user would keep all seats from others."""
    memory = Memory(concert(**PRICED))
    first = booked(memory, party(ADA, 20))
    memory.pass_by(seconds=MINUTE)
    assert too_many(memory, party(ADA, 1)) == str(9 * MINUTE)
    assert booked(memory, party("acct_bob", 6)).status == "HELD"
    assert booked(memory, party("acct_bob", 4)).status == "HELD"
    assert too_many(memory, party("acct_bob", 1)) == str(10 * MINUTE)
    memory.decide(start(first.id), paid(first.id, minor=25_000))
    assert booked(memory, party(ADA, 10)).status == "HELD"


def test_all_holds_of_a_user_count_together() -> None:
    """A user would hold twice as many seats by choosing some and letting others be chosen."""
    hall = room(rows=2, seats=15)
    memory = Memory(screening(hall, **PRICED), plans=plans_of(hall))
    memory.decide(hold(ADA, *range(1, 9)))
    assert too_many(memory, party(ADA, 3))
    assert booked(memory, party(ADA, 2)).status == "HELD"
    [refusal] = memory.decide(hold(ADA, 30))
    assert refused(refusal).reason == "RATE_LIMITED"


def test_an_account_that_pays_nothing_has_to_wait() -> None:
    """An account would keep seats from others for ever by booking them again and again."""
    memory = Memory(concert(**PRICED))
    for _ in range(3):
        memory.decide(Cancel(1, booked(memory, party(ADA)).id))
        memory.decide(Cancel(1, booked(memory, party("guest")).id))
    memory.pass_by(seconds=MINUTE)
    assert too_many(memory, party(ADA)) == str(4 * MINUTE)
    assert booked(memory, party("guest")).status == "HELD"
    memory.pass_by(seconds=4 * MINUTE)
    assert booked(memory, party(ADA)).status == "HELD"


def test_free_seats_have_no_limit_of_holds() -> None:
    """A user who holds priced seats could not book free ones."""
    memory = Memory(concert(capacity=100, **PRICED))
    memory.decide(party(ADA, 20))
    memory.apply(concert(capacity=100, rev=2))
    assert booked(memory, party(ADA, 20)).status == "CONFIRMED"


def test_who_is_refused_for_the_event_hears_nothing_of_holds() -> None:
    """A sold-out event would answer that the user has to wait a while."""
    memory = Memory(concert(capacity=20, **PRICED))
    memory.decide(party(ADA, 20))
    assert memory.summaries(party(ADA, 1)) == ["SOLD_OUT"]
    assert memory.summaries(Book(1, ADA, 1, GUEST)) == [1]
