from datetime import timedelta
from typing import Any

import pytest

from services.bookings.inventory import EventState
from services.bookings.inventory.commands import (
    Book,
    Cancel,
    Cancelled,
    LeftLine,
    SetSkipFit,
    Sweep,
    Withdraw,
)
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import paid, start
from tests.services.bookings.inventory.rules import NOW, Memory, made, party, refused, seat

PRICED = {"price_amount_minor": 1000, "price_currency": "EUR"}
OFFER_SECONDS = 7_200


def show(capacity: int = 2, **changes: Any) -> EventState:
    """Makes the state of an event with few seats."""
    return concert(capacity=capacity, **changes)


def offered(memory: Memory, user: str) -> Any:
    """Returns the offer of a user."""
    [booking] = memory.stocks[1].live_of(user)
    assert (booking.status, booking.place is not None) == ("HELD", True)
    return booking


def test_latecomers_wait_in_order() -> None:
    """Positions would have gaps, or two users have the same one."""
    memory = Memory(show())
    assert memory.book("a", "b", "c", "d") == ["BOOKED", "BOOKED", 1, 2]
    assert memory.book("e", "c", "a") == [3, "ALREADY_WAITING", "ALREADY_BOOKED"]
    assert memory.withdraw("a").served == 1
    assert (memory.has("c"), memory.line()) == (["CONFIRMED"], ["d", "e"])
    assert memory.book("f", "d") == [3, "ALREADY_WAITING"]


def test_a_position_counts_who_left_in_the_same_batch() -> None:
    """A position would count users who have just left in the same batch."""
    memory = Memory(show(capacity=1))
    memory.book("a", "b", "c", "d")
    memory.decide(Withdraw(1, "b", GUEST), Withdraw(1, "a", GUEST))
    [again] = memory.decide(Book(1, "d", 1, GUEST))
    assert refused(again).metadata["position"] == "1"


def test_nobody_overtakes_those_who_wait() -> None:
    """Some way of booking would take free seats while a party waits for more."""
    memory = Memory(show(capacity=3))
    memory.book("a", "b")
    assert memory.book("big", seats=2) == [1]
    assert memory.summaries(seat("walk-in"), party("walk-in")) == ["SOLD_OUT"] * 2
    assert memory.book("c") == [2]
    memory.withdraw("a")
    assert (memory.has("big"), memory.line()) == (["CONFIRMED"], ["c"])


def test_a_place_in_line_is_given_back() -> None:
    """A user who left would get the old place again, or could not join again."""
    memory = Memory(show(capacity=1))
    memory.book("a", "b", "c", "d")
    assert isinstance(memory.withdraw("c"), LeftLine)
    assert memory.summaries(Withdraw(1, "c", GUEST), Withdraw(1, "nobody", GUEST)) == [
        "ALREADY_CANCELLED",
        "BOOKING_NOT_FOUND",
    ]
    assert memory.book("c") == [3]


def test_a_head_that_leaves_lets_the_next_one_in() -> None:
    """Seats that a leaving head was waiting for would stay free."""
    memory = Memory(show(capacity=3))
    memory.book("a", "b")
    memory.book("big", seats=3)
    memory.book("c")
    assert memory.withdraw("big").served == 1
    assert memory.has("c") == ["CONFIRMED"]


def test_every_way_of_freeing_seats_serves_the_line() -> None:
    """Some way of freeing seats would leave them free while users wait."""
    memory = Memory(show(capacity=1))
    memory.book("a", "b", "c", "d", "e", "f")
    [first] = memory.stocks[1].live_of("a")
    [cancelled] = memory.decide(Cancel(1, first.id))
    assert isinstance(cancelled, Cancelled)
    assert (cancelled.served, memory.has("b")) == (1, ["CONFIRMED"])
    memory.apply(show(capacity=3, rev=2))
    assert memory.line() == ["e", "f"]
    memory.apply(show(capacity=9, rev=3, status="COMPLETED"))
    assert memory.line() == ["e", "f"]
    memory.apply(show(capacity=9, rev=4))
    assert memory.line() == []


def test_a_party_that_can_never_be_served_holds_nobody_up() -> None:
    """A party larger than the event would join, or block the line after the event has shrunk."""
    memory = Memory(show(capacity=3))
    assert memory.book("huge", seats=4) == ["SOLD_OUT"]
    memory.book("a", "b")
    memory.book("big", seats=3)
    memory.book("c")
    memory.apply(show(capacity=2, rev=2))
    memory.withdraw("a")
    assert (memory.has("c"), memory.line()) == (["CONFIRMED"], ["big"])


def test_smaller_parties_pass_a_head_after_a_while() -> None:
    """Parties would pass a head without the event's consent, or too early, or never."""
    memory = Memory(show(capacity=3))
    memory.decide(SetSkipFit(1, 60))
    memory.book("a", "b", "x")
    memory.book("big", seats=2)
    memory.book("c", "d")
    memory.withdraw("x")
    memory.pass_by(seconds=59)
    memory.decide(Sweep(1))
    assert memory.line() == ["big", "c", "d"]
    memory.pass_by(seconds=1)
    memory.decide(Sweep(1))
    assert (memory.has("c"), memory.line()) == (["CONFIRMED"], ["big", "d"])


def test_a_priced_seat_is_offered_and_sold_as_it_was_offered() -> None:
    """A user would be booked at a price they never saw, or get other seats than offered."""
    memory = Memory(show(capacity=2, **PRICED))
    memory.book("a", seats=2)
    memory.book("b", seats=2)
    assert memory.withdraw("a").served == 1
    offer = offered(memory, "b")
    assert offer.expires_at == NOW + timedelta(seconds=OFFER_SECONDS)
    assert memory.summaries(seat("b")) == ["ALREADY_BOOKED"]
    [again] = memory.decide(Book(1, "b", 1, GUEST))
    assert (made(again).booking, memory.stocks[1].sold) == (offer, 0)
    assert (offer.seat_count, offer.price_amount_minor) == (2, 2000)
    memory.decide(start(offer.id), paid(offer.id, minor=2_000))
    assert (memory.has("b"), memory.stocks[1].sold) == (["CONFIRMED"], 2)


def test_a_declined_offer_goes_to_the_next() -> None:
    """A declined seat would stay held until the offer ends."""
    memory = Memory(show(capacity=1, **PRICED))
    memory.book("a", "b", "c")
    memory.withdraw("a")
    assert memory.withdraw("b").served == 1
    assert offered(memory, "c")
    assert memory.book("b") == [1]


@pytest.mark.parametrize("passer_by", [Sweep(1), seat("walk-in")])
def test_an_offer_that_ends_goes_to_the_next(passer_by: Any) -> None:
    """An ended offer could be accepted, or its seat wait for the sweeper."""
    memory = Memory(show(capacity=1, **PRICED))
    memory.book("a", "b", "c")
    memory.withdraw("a")
    memory.pass_by(seconds=OFFER_SECONDS)
    memory.decide(passer_by)
    assert memory.has("b") == []
    assert offered(memory, "c")
    assert memory.book("b") == [1]


def test_a_latecomer_hears_of_the_revision_that_ended_the_offer() -> None:
    """The refusal would carry a revision at which the offer was still open."""
    memory = Memory(show(capacity=1, **PRICED))
    memory.book("a", "b")
    memory.withdraw("a")
    offer = offered(memory, "b")
    memory.pass_by(seconds=OFFER_SECONDS)
    for refusal in memory.decide(Withdraw(1, "b", GUEST), Cancel(1, offer.id)):
        assert refused(refusal).reason == "ALREADY_CANCELLED"
        assert refused(refusal).metadata["inventory_revision"] == str(memory.stocks[1].rev)
    assert memory.stocks[1].changes[-1].change.kind == "EXPIRED"


def test_an_offer_ends_with_the_sale_at_the_latest() -> None:
    """A user could accept a seat of an event that has started."""
    soon = timedelta(minutes=5)
    for ends in ({"starts_at": NOW + soon}, {"sales_close_at": NOW + soon}):
        memory = Memory(show(capacity=1, **ends, **PRICED), offer_seconds=3600)
        memory.book("a", "b")
        memory.withdraw("a")
        assert offered(memory, "b").expires_at == NOW + soon


def test_a_closed_event_sends_everybody_home() -> None:
    """Users would keep waiting for an event that is closed."""
    memory = Memory(show(capacity=1, **PRICED))
    memory.book("a", "b", "c")
    memory.withdraw("a")
    memory.apply(show(capacity=1, rev=2, status="CANCELLED"))
    assert memory.book("d") == ["EVENT_NOT_BOOKABLE"]
    assert (
        memory.summaries(Withdraw(1, "b", GUEST), Withdraw(1, "c", GUEST))
        == ["ALREADY_CANCELLED"] * 2
    )
    memory.pass_by(seconds=OFFER_SECONDS)
    memory.decide(Sweep(1))
    assert memory.stocks[1].changes[-1].change.kind == "CLOSED"
