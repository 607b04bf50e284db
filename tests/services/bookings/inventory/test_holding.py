from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.bookings.errors import SeatNotFound, SeatsUnavailable, Shortage, TooManyHolds
from services.bookings.inventory.commands import Apply, Booked, Outcome, Reserve
from services.bookings.inventory.seat_commands import (
    BlockSeats,
    Hold,
    IssueTicket,
    Release,
    Released,
    ReleaseUser,
    Seated,
)
from services.bookings.seating.choosing import Wish
from tests.services.bookings.asking import GUEST
from tests.services.bookings.inventory.payments import paid, paid_of, start
from tests.services.bookings.inventory.rules import NOW, Memory, party
from tests.services.bookings.inventory.screening import held, hold, plans_of, room, screening

HALL = room(rows=2, seats=5)
MINUTE = 60


@pytest.fixture
def memory() -> Memory:
    """Returns a screening in a room with two rows of five seats."""
    return Memory(screening(HALL), plans=plans_of(HALL))


def best(user: str, count: int, **wishes: object) -> Hold:
    """Makes a command to hold the best seats."""
    return Hold(1, user, best=Wish(count, **wishes), viewer=GUEST)  # type: ignore[arg-type]


def seated(outcome: Outcome) -> Seated:
    """Returns the seats of a hold."""
    assert isinstance(outcome, Seated), outcome
    return outcome


def shortage(outcome: Outcome) -> Shortage:
    """Returns the shortage of a refusal."""
    assert isinstance(outcome, SeatsUnavailable), outcome
    return outcome.shortage


def retry_after(outcome: Outcome) -> int:
    """Returns in how many seconds a user who holds too much may ask again."""
    assert isinstance(outcome, TooManyHolds), outcome
    return int(outcome.metadata["retry_after_seconds"])


def seats_of(outcome: Outcome) -> Sequence[int]:
    """Returns the seats of a booking."""
    assert isinstance(outcome, Booked), outcome
    return outcome.booking.seat_ids


def test_all_seats_are_held_or_none(memory: Memory) -> None:
    """A party would be split because one of its seats was taken."""
    [first] = memory.decide(hold("ada", 2, 3))
    assert held(first) == (2, 3)
    assert seated(first).booking.expires_at == NOW + timedelta(minutes=10)
    [refused] = memory.decide(hold("bob", 3, 4))
    assert shortage(refused).reasons == {3: "held"}
    [partly] = memory.decide(hold("bob", 3, 4, require_all=False))
    assert (held(partly), seated(partly).unavailable) == ((4,), [3])


def test_a_refusal_names_reasons_the_time_and_seats_to_have_instead(memory: Memory) -> None:
    """A refused buyer would not know which seat is taken, until when, and what else to try."""
    [first] = memory.decide(hold("ada", 1, 2))
    memory.pass_by(seconds=MINUTE)
    memory.decide(hold("bob", 3), BlockSeats(1, (5,)))
    [refused] = memory.decide(hold("cy", 2, 3))
    found = shortage(refused)
    assert found.reasons == {2: "held", 3: "held"}
    assert found.free_again_at == NOW + timedelta(minutes=11)
    assert found.left == 6
    assert list(found.alternatives) == list(found.groups[0])
    assert not {1, 2, 3, 5}.intersection(*found.groups)
    memory.decide(IssueTicket(1, seated(first).booking.id))
    [refused] = memory.decide(hold("cy", 2, 3, 5, suggests_alternatives=False))
    found = shortage(refused)
    assert found.reasons == {2: "sold", 3: "held", 5: "blocked"}
    assert (found.free_again_at, found.alternatives, found.groups) == (None, (), ())


def test_a_choice_that_strands_a_seat_is_refused_where_the_event_says_so() -> None:
    """Single seats that nobody buys would be left over in a full house."""
    memory = Memory(screening(HALL, orphan_rule=True), plans=plans_of(HALL))
    [refused] = memory.decide(hold("ada", 2, 3))
    found = shortage(refused)
    assert found.reasons == {2: "orphan", 3: "orphan"}
    assert (found.orphans, found.alternatives) == ([1], [1, 2])
    [accepted] = memory.decide(hold("ada", 1, 2))
    assert held(accepted) == (1, 2)


def test_best_seats_strand_nobody_and_are_apart_only_if_allowed(memory: Memory) -> None:
    """The best seats would be at the edge, apart, or leave a single seat free."""
    first, second, third = memory.decide(best("ada", 3), best("bob", 3), best("cy", 3))
    assert (held(first), held(second)) == ((1, 2, 3), (6, 7, 8))
    found = shortage(third)
    assert (found.reasons, found.left, list(found.alternatives)) == ({}, 4, [4, 5, 9])
    [apart] = memory.decide(best("cy", 3, adjacent=False))
    assert held(apart) == (4, 5, 9)


def test_everything_that_books_gets_the_best_seats_that_are_left(memory: Memory) -> None:
    """A booking without named seats would count seats that are then given to another user."""
    reserved, made = memory.decide(Reserve(1, "ada", viewer=GUEST), party("bob", 4))
    assert (seats_of(reserved), seats_of(made)) == ((3,), (6, 7, 8, 9))
    [last] = memory.decide(party("cy", 5))
    assert seats_of(last) == (1, 2, 4, 5, 10)


def test_waiting_users_get_the_seats_that_come_free(memory: Memory) -> None:
    """P12: a party would wait although enough seats are free, adjacent or not."""
    [first, *_] = memory.decide(hold("ada", 1, 2), party("bob", 8))
    assert memory.book("cy", "dee", seats=1) == [1, 2]
    assert memory.summaries(hold("eve", 1)) == ["SOLD_OUT"]
    [released] = memory.decide(Release(1, seated(first).booking.id))
    assert isinstance(released, Released)
    assert (released.seat_count, released.served) == (2, 2)
    given = [memory.stocks[1].live_of(user)[0].seat_ids for user in ("cy", "dee")]
    assert given == [(2,), (1,)]


def test_blocked_seats_are_for_nobody_until_they_are_unblocked(memory: Memory) -> None:
    """Seats that the organizer has blocked would be sold."""
    memory.decide(BlockSeats(1, (1, 2, 3, 4, 5)))
    assert memory.summaries(party("ada", 5)) == ["BOOKED"]
    assert memory.book("bob") == [1]
    assert memory.stocks[1].free == 0
    memory.decide(BlockSeats(1, (2, 3, 4, 5)))
    assert memory.stocks[1].live_of("bob")[0].seat_ids == (1,)
    [refused] = memory.decide(BlockSeats(1, (1, 6)))
    assert shortage(refused).reasons == {1: "sold", 6: "sold"}


def test_a_refusal_to_block_names_a_hundred_seats_at_most() -> None:
    """The details of a sold-out hall would not fit into the headers that carry them."""
    hall = room(rows=15, seats=10)
    memory = Memory(screening(hall), plans=plans_of(hall))
    memory.decide(*(hold(f"u{row}", *range(10 * row + 1, 10 * row + 11)) for row in range(15)))
    [refused] = memory.decide(BlockSeats(1, tuple(range(1, 151))))
    assert list(shortage(refused).reasons) == [*range(1, 101)]
    [unknown] = memory.decide(BlockSeats(1, tuple(range(151, 400))))
    assert isinstance(unknown, SeatNotFound)
    assert list(unknown.seat_ids) == [*range(151, 251)]


def test_releasing_again_frees_nothing_and_a_sold_seat_is_not_released(memory: Memory) -> None:
    """A repeated release would free the seats of their next holder."""
    first, _, third = memory.decide(hold("ada", 1), hold("ada", 2), hold("ada", 3))
    memory.decide(IssueTicket(1, seated(third).booking.id))
    number = seated(first).booking.id
    freed, again = memory.decide(Release(1, number), Release(1, number))
    assert [getattr(each, "seat_count", None) for each in (freed, again)] == [1, 0]
    assert memory.summaries(Release(1, seated(third).booking.id)) == ["INVALID_TRANSITION"]
    [rest] = memory.decide(ReleaseUser(1, "ada", GUEST))
    assert isinstance(rest, Released)
    assert (rest.seat_count, memory.has("ada")) == (1, ["CONFIRMED"])
    assert memory.summaries(Release(1, 999)) == ["RESERVATION_NOT_FOUND"]


def test_a_hold_is_kept_until_the_moment_it_ends(memory: Memory) -> None:
    """A hold could be confirmed after its seats were free again."""
    early, late = memory.decide(hold("ada", 1), hold("bob", 2))
    memory.pass_by(seconds=10 * MINUTE - 0.001)
    assert memory.summaries(IssueTicket(1, seated(early).booking.id)) == ["SEATED"]
    memory.pass_by(seconds=0.001)
    taken, ended = memory.decide(hold("cy", 2), IssueTicket(1, seated(late).booking.id))
    assert held(taken) == (2,)
    assert getattr(ended, "reason", None) == "HOLD_EXPIRED"


def test_a_user_holds_ten_seats_of_an_event_at_most(memory: Memory) -> None:
    """One user could hold a whole room."""
    first, *_ = memory.decide(hold("ada", 1, 2, 3, 4, 5), hold("ada", 6, 7, 8, 9))
    memory.pass_by(seconds=MINUTE)
    [refused] = memory.decide(hold("ada", 10, 1))
    assert retry_after(refused) == 9 * MINUTE
    memory.decide(IssueTicket(1, seated(first).booking.id))
    assert memory.summaries(hold("ada", 10)) == ["SEATED"]


def test_an_account_that_lets_holds_end_has_to_wait(memory: Memory) -> None:
    """An account could keep the best seats from others."""
    _hold_and_release(memory, "acct_jo", times=3)
    memory.pass_by(seconds=MINUTE)
    [refused] = memory.decide(hold("acct_jo", 1))
    assert retry_after(refused) == 4 * MINUTE
    memory.pass_by(seconds=4 * MINUTE)
    assert memory.summaries(hold("acct_jo", 1)) == ["SEATED"]


def test_a_guest_need_not_wait_for_holds_that_ended(memory: Memory) -> None:
    """A guest would be blamed for others who use the same name."""
    _hold_and_release(memory, "jo", times=3)
    assert memory.summaries(hold("jo", 1)) == ["SEATED"]


def _hold_and_release(memory: Memory, user: str, *, times: int) -> None:
    for _ in range(times):
        [made] = memory.decide(hold(user, 1))
        memory.decide(Release(1, seated(made).booking.id))


def test_seats_cost_what_their_type_does(memory: Memory) -> None:
    """A seat would be sold for the price of another type, or for a price that has changed since."""
    prices = {"REGULAR": 900}
    memory.apply(
        screening(
            HALL, rev=2, price_amount_minor=1_200, price_currency="EUR", seat_type_prices=prices
        )
    )
    made, booked = memory.decide(hold("ada", 1, 2), party("bob", 3))
    memory.apply(screening(HALL, rev=3, price_amount_minor=5, price_currency="EUR"))
    number = seated(made).booking.id
    _, bought = memory.decide(start(number), paid(number, minor=1_800))
    assert paid_of(bought) == ("SUCCEEDED", "CONFIRMED", True, True)
    assert isinstance(booked, Booked)
    assert booked.booking.price_amount_minor == 2_700


def test_another_room_is_possible_until_something_was_booked() -> None:
    """A booking would name seats that the new room does not have, or that another user has."""
    small = room(rows=1, seats=3, plan_id=2)
    memory = Memory(screening(HALL), plans=plans_of(HALL, small))
    memory.decide(BlockSeats(1, (1, 10)))
    assert memory.apply(screening(small, rev=2)).verdict == "APPLIED"
    assert (memory.stocks[1].capacity, memory.stocks[1].blocked) == (3, 0)
    [made] = memory.decide(hold("ada", 1, 2, 3))
    memory.decide(Release(1, seated(made).booking.id))
    judgement = memory.apply(screening(HALL, rev=3))
    assert (judgement.verdict, judgement.refusal) == ("REFUSED", "INVALID_TRANSITION")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (hold("ada", 11), "SEAT_NOT_FOUND"),
        (best("ada", 1, section="Nowhere"), "SEAT_NOT_FOUND"),
        (BlockSeats(1, (11,)), "SEAT_NOT_FOUND"),
        (hold("ada", 1, event_id=2), "SCREENING_NOT_FOUND"),
        (ReleaseUser(2, "ada"), "SCREENING_NOT_FOUND"),
        (IssueTicket(1, 999), "RESERVATION_NOT_FOUND"),
    ],
)
def test_unknown_ids_are_not_found(command: Hold, reason: str) -> None:
    """A seat that does not exist would be sold, or an event without seats get holds."""
    plain = screening(HALL, 2, plan_id=None)
    memory = Memory(screening(HALL), plain, plans=plans_of(HALL))
    assert memory.summaries(command) == [reason]


def test_a_cancelled_screening_frees_all_and_gives_nothing(memory: Memory) -> None:
    """Seats of a cancelled screening would still be sold."""
    [made] = memory.decide(hold("ada", 1))
    memory.decide(Apply(screening(HALL, rev=2, status="CANCELLED")))
    assert memory.summaries(
        hold("bob", 2), IssueTicket(1, seated(made).booking.id), BlockSeats(1, (3,))
    ) == ["EVENT_NOT_BOOKABLE", "HOLD_EXPIRED", "EVENT_NOT_BOOKABLE"]
