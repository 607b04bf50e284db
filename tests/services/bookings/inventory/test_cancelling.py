import pytest

from services.bookings.inventory.commands import Book, Cancel, Cancelled, Reserve, Withdraw
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.rules import Memory, made, party, refused, seat

WITHDRAW = Withdraw(1, "ada", GUEST)


def test_a_seat_is_freed_exactly_once_in_a_batch() -> None:
    """A repeated cancellation would free a seat that is booked again by then."""
    memory = Memory(concert(capacity=2))
    made_first, _ = memory.decide(seat("ada"), seat("bob"))
    booking = made(made_first).booking
    done, *late = memory.decide(Cancel(1, booking.id), Cancel(1, booking.id), WITHDRAW)
    assert isinstance(done, Cancelled)
    assert (done.booking.status, done.booking.cancelled_at, done.rev) == (
        "CANCELLED",
        memory.now,
        4,
    )
    assert [refused(one).metadata for one in late] == [{"inventory_revision": "4"}] * 2
    assert memory.summaries(seat("ada"), seat("eve")) == ["BOOKED", "SOLD_OUT"]


def test_a_booking_that_is_over_cannot_be_cancelled() -> None:
    """A closed event would free seats that it no longer counts, or a missing booking be freed."""
    memory = Memory(concert())
    [booking] = [made(outcome).booking for outcome in memory.decide(seat("ada"))]
    assert memory.summaries(Cancel(1, booking.id + 1)) == ["BOOKING_NOT_FOUND"]
    memory.apply(concert(rev=2, status="CANCELLED"))
    assert memory.summaries(Cancel(1, booking.id), WITHDRAW) == ["ALREADY_CANCELLED"] * 2
    memory.apply(concert(rev=3, deleted=True))
    assert memory.summaries(WITHDRAW) == ["EVENT_NOT_FOUND"]


def test_only_what_was_booked_for_oneself_is_given_back() -> None:
    """Where users may book again, Withdraw would cancel a booking that nobody named."""
    memory = Memory(concert())
    memory.decide(party("ada"))
    assert memory.summaries(WITHDRAW) == ["BOOKING_NOT_FOUND"]
    memory.decide(Book(1, "ada", 1, GUEST))
    assert memory.summaries(WITHDRAW, WITHDRAW) == ["CANCELLED", "ALREADY_CANCELLED"]


@pytest.mark.parametrize("rule", [False, True])
def test_where_the_event_has_a_rule_the_last_booking_is_given_back(rule: bool) -> None:
    """Withdraw would find no booking, depending on how it was made."""
    memory = Memory(concert(one_booking_per_user=rule))
    asked = [party("ada", 1), party("ada", 2)][: 1 if rule else 2]
    *_, last = memory.decide(*asked)
    [given, *_] = memory.decide(WITHDRAW)
    assert isinstance(given, Cancelled)
    assert given.booking.id == made(last).booking.id


@pytest.mark.parametrize(
    "former", [seat("ada"), Book(1, "ada", 1, GUEST), Book(1, "ada", 2, GUEST)]
)
def test_an_earlier_command_of_the_batch_is_a_users_past_too(former: Reserve | Book) -> None:
    """The outcome would depend on which commands share the transaction."""
    memory = Memory(concert(capacity=2))
    memory.decide(seat("bob"))
    assert memory.summaries(former, WITHDRAW, WITHDRAW)[2] == "ALREADY_CANCELLED"
