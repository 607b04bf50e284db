from dataclasses import replace
from typing import Any

import pytest

from services.bookings.inventory import EventState, Judgement, Verdict, judge
from services.bookings.inventory.commands import Apply, Freeze
from services.bookings.inventory.stock import Stock
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.rules import NOW, Memory, seat

BELOW, TRANSITION = "CAPACITY_BELOW_BOOKED", "INVALID_TRANSITION"


def stock(**changes: Any) -> Stock:
    """Makes an event of ten seats with four sold and one held."""
    values: dict[str, Any] = {
        "capacity": 10,
        "name": "Concert",
        "status": "PUBLISHED",
        "epoch": "",
        "catalogue_rev": 3,
        "verdict": "APPLIED",
        "sold": 4,
        "held": 1,
        "rev": 7,
        "was_booked": True,
    }
    return Stock(1, **(values | changes))


def unbooked(**changes: Any) -> Stock:
    """Makes an event without bookings."""
    return stock(**({"sold": 0, "held": 0, "was_booked": False} | changes))


@pytest.mark.parametrize(
    ("before", "changes", "verdict", "refusal"),
    [
        (stock(), {"rev": 4}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "capacity": 5}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "capacity": 4}, Verdict.REFUSED, BELOW),
        (stock(), {"rev": 3}, Verdict.APPLIED, ""),
        (stock(), {"rev": 3, "capacity": 0}, Verdict.APPLIED, ""),
        (stock(verdict="REFUSED", refusal=BELOW), {"rev": 3}, Verdict.REFUSED, BELOW),
        (stock(), {"rev": 2}, Verdict.STALE, ""),
        (stock(), {"rev": 2, "deleted": True}, Verdict.STALE, ""),
        (stock(), {"rev": 4, "deleted": True, "capacity": 0}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "status": "CANCELLED"}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "status": "COMPLETED"}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "status": "DRAFT"}, Verdict.REFUSED, TRANSITION),
        (unbooked(), {"rev": 4, "status": "DRAFT"}, Verdict.APPLIED, ""),
        (unbooked(status="DRAFT", held=1), {"rev": 4, "status": "DRAFT"}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "one_booking_per_user": False}, Verdict.REFUSED, TRANSITION),
        (
            unbooked(was_booked=True),
            {"rev": 4, "one_booking_per_user": True},
            Verdict.REFUSED,
            TRANSITION,
        ),
        (unbooked(), {"rev": 4, "one_booking_per_user": False}, Verdict.APPLIED, ""),
        (stock(), {"rev": 4, "plan_id": 7, "capacity": 4}, Verdict.REFUSED, TRANSITION),
        (unbooked(was_booked=True), {"rev": 4, "plan_id": 7}, Verdict.REFUSED, TRANSITION),
        (unbooked(), {"rev": 4, "plan_id": 7, "capacity": 4}, Verdict.APPLIED, ""),
        (unbooked(closed_at=NOW), {"rev": 4}, Verdict.REFUSED, TRANSITION),
        (unbooked(closed_at=NOW), {"rev": 4, "deleted": True}, Verdict.APPLIED, ""),
        (stock(), {"rev": 9, "epoch": "other"}, Verdict.STALE, ""),
        (stock(), {"rev": 3, "epoch": "other"}, Verdict.STALE, ""),
    ],
)
def test_a_state_is_judged_by_what_is_booked(
    before: Stock, changes: dict[str, Any], verdict: Verdict, refusal: str
) -> None:
    """A stale state would win, or a state come into force that contradicts bookings."""
    judged = judge(before, concert(**({"capacity": 10} | changes)))
    assert judged == Judgement(verdict, refusal, inventory_rev=7)


def test_a_listing_begins_an_epoch_whatever_its_revisions() -> None:
    """States of a restored catalogue would be stale, because their revisions are lower."""
    state = concert(capacity=10, rev=1, epoch="other")
    assert judge(stock(), state, begins_epoch=True).verdict is Verdict.APPLIED
    assert judge(stock(), replace(state, capacity=4), begins_epoch=True).verdict is Verdict.REFUSED


def test_states_may_come_in_any_order_and_twice() -> None:
    """A late duplicate would undo a later state."""
    memory = Memory()
    for rev in (3, 1, 4, 2):
        memory.apply(concert(capacity=rev * 10, rev=rev))
    assert memory.stocks[1].capacity == 40
    assert memory.apply(concert(capacity=40, rev=4)) == Judgement(
        Verdict.APPLIED, inventory_rev=memory.stocks[1].rev
    )


def test_a_tombstone_that_comes_first_stays() -> None:
    """A late state would reopen an event that was deleted before bookings knew it."""
    memory = Memory(concert(rev=2, deleted=True))
    assert memory.apply(concert(rev=1)).verdict is Verdict.STALE
    assert memory.summaries(seat("ada")) == ["EVENT_NOT_FOUND"]


def test_a_refused_revision_stays_refused() -> None:
    """A shrink that was refused with 409 would come into force when it is pushed again."""
    memory = Memory(concert(capacity=2))
    memory.decide(seat("ada"), seat("bob"))
    shrink = concert(capacity=1, rev=2)
    refused = memory.apply(shrink)
    assert (refused.verdict, refused.refusal) == (Verdict.REFUSED, BELOW)
    memory.stocks[1].sold = 0
    assert judge(memory.stocks[1], shrink) == refused
    memory.stocks[1].sold = 2
    memory.apply(concert(capacity=3, rev=3))
    assert memory.apply(shrink).verdict is Verdict.STALE
    assert memory.summaries(seat("cy"), seat("di")) == ["BOOKED", "SOLD_OUT"]


def test_an_event_may_shrink_to_what_is_booked() -> None:
    """An event could not shrink to exactly its booked seats, or would then sell more."""
    memory = Memory(concert(capacity=5))
    memory.decide(seat("ada"), seat("bob"))
    assert memory.apply(concert(capacity=2, rev=2)).verdict is Verdict.APPLIED
    assert memory.summaries(seat("cy")) == ["SOLD_OUT"]
    memory.apply(concert(capacity=3, rev=3))
    assert memory.summaries(seat("cy")) == ["BOOKED"]


def test_the_rule_of_one_booking_stands_once_somebody_booked() -> None:
    """The rule would change after a booking was made under it, even in the same batch."""
    memory = Memory(concert(one_booking_per_user=False))
    memory.apply(concert(one_booking_per_user=True, rev=2))
    _, judged = memory.decide(seat("ada"), Apply(concert(one_booking_per_user=False, rev=3)))
    assert isinstance(judged, Judgement)
    assert (judged.verdict, judged.refusal) == (Verdict.REFUSED, TRANSITION)


@pytest.mark.parametrize("closing", [{"deleted": True}, {"status": "CANCELLED"}])
def test_closing_cancels_every_booking_at_once(closing: dict[str, Any]) -> None:
    """A closed event would still count booked seats."""
    memory = Memory(concert())
    memory.decide(*(seat(f"user-{number}") for number in range(7)))
    judged = memory.apply(concert(rev=2, **closing))
    assert (judged.cancelled_bookings, judged.inventory_rev) == (7, 9)
    assert memory.apply(concert(rev=2, **closing)) == judged
    assert (memory.stocks[1].free, memory.stocks[1].closing) == (50, True)


def test_a_frozen_event_sells_nothing_until_it_may() -> None:
    """A frozen event would sell seats, or a new state end a freeze after wrong counters."""
    memory = Memory(concert(1), concert(2), concert(3))
    memory.decide(Freeze(1, "COUNTERS"), Freeze(2, "CATALOGUE", "", 1))
    memory.decide(Freeze(3, "CATALOGUE", "", 0), Freeze(1, "CATALOGUE", "", 1))
    asked = [seat("ada", event_id) for event_id in (1, 2, 3)]
    assert memory.summaries(*asked) == ["EVENT_NOT_BOOKABLE", "EVENT_NOT_BOOKABLE", "BOOKED"]
    memory.decide(Apply(concert(1, rev=2)), Apply(concert(2, rev=2)))
    assert memory.summaries(*asked[:2]) == ["EVENT_NOT_BOOKABLE", "BOOKED"]


def test_a_state_closes_for_good_when_cancelled_or_deleted() -> None:
    """A completed event would lose its bookings, or a cancelled one keep them."""
    assert EventState(1, 1, "", 1, "CANCELLED").closes
    assert EventState(1, 1, "", 1, "PUBLISHED", deleted=True).closes
    assert not EventState(1, 1, "", 1, "COMPLETED").closes
