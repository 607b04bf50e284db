from datetime import timedelta
from typing import Any

import pytest

from services.bookings.access import Viewer
from services.bookings.inventory.commands import Book, Command, Reserve
from services.kit.rpc.callers import Caller, Role
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.rules import NOW, Memory, made, party, refused, seat

HOUR = timedelta(hours=1)
WAYS: dict[str, Any] = {
    "reserve": lambda event_id, user, viewer: Reserve(event_id, user, viewer=viewer),
    "create": lambda event_id, user, viewer: Reserve(event_id, user, 1, False, viewer),
    "ticket": lambda event_id, user, viewer: Book(event_id, user, 1, viewer),
}


def test_a_seat_is_booked_with_its_revision() -> None:
    """Clients could not tell which of two responses is newer."""
    [outcome] = Memory(concert()).decide(seat("ada"))
    booking = made(outcome).booking
    assert (booking.event_id, booking.user_id, made(outcome).rev) == (1, "ada", 2)
    assert (booking.status, booking.created_at) == ("CONFIRMED", NOW)


def test_refusals_come_in_their_order() -> None:
    """A user who has a seat would be refused as sold out."""
    memory = Memory(concert(capacity=1))
    first, again, late = memory.decide(seat("ada"), seat("ada"), seat("bob"))
    assert refused(again).metadata == {
        "booking_id": str(made(first).booking.id),
        "inventory_revision": "2",
    }
    assert (refused(again).reason, refused(late).reason) == ("ALREADY_BOOKED", "SOLD_OUT")
    assert memory.summaries(seat("ada"), seat("bob")) == ["ALREADY_BOOKED", "SOLD_OUT"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deleted": True}, "EVENT_NOT_FOUND"),
        ({"status": "DRAFT"}, "EVENT_NOT_FOUND"),
        ({"status": "CANCELLED"}, "EVENT_NOT_BOOKABLE"),
        ({"status": "COMPLETED"}, "EVENT_NOT_BOOKABLE"),
        ({"starts_at": NOW}, "EVENT_NOT_BOOKABLE"),
        ({"sales_open_at": NOW + HOUR}, "EVENT_NOT_BOOKABLE"),
        ({"sales_close_at": NOW}, "EVENT_NOT_BOOKABLE"),
        ({"starts_at": NOW + HOUR, "sales_open_at": NOW, "sales_close_at": NOW + HOUR}, "BOOKED"),
    ],
)
def test_status_start_and_sales_window_close_an_event(changes: dict[str, Any], reason: str) -> None:
    """Seats of an event would be sold that is over, not open yet, or cancelled."""
    assert Memory(concert(**changes)).summaries(seat("ada")) == [reason]


@pytest.mark.parametrize("hidden", [{"deleted": True}, {"status": "DRAFT"}])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_tells_a_hidden_event_from_none(hidden: dict[str, Any], way: str) -> None:
    """A revision, or another reason when it is full, would reveal that a draft exists."""
    memory = Memory(concert(1, **hidden), concert(2, capacity=0, **hidden))
    for event_id in (1, 2):
        for outcome in memory.decide(*[WAYS[way](event_id, "ada", GUEST)] * 2):
            assert (refused(outcome).reason, refused(outcome).metadata) == ("EVENT_NOT_FOUND", {})


@pytest.mark.parametrize("way", WAYS)
def test_a_draft_exists_for_its_owner(way: str) -> None:
    """Callers who share a batch with the owner would see the draft."""
    owned: dict[str, Any] = {"organizer_id": "acct_owner"}
    memory = Memory(
        concert(1, status="DRAFT", **owned),
        concert(2, status="DRAFT", deleted=True, **owned),
        concert(3, **owned),
    )
    viewers = [
        Viewer(caller, open_access=True)
        for caller in (
            Caller("acct_owner", Role.ORGANIZER),
            Caller("acct_other", Role.ORGANIZER),
            Caller("acct_admin", Role.ADMIN),
            Caller(),
        )
    ]
    commands: list[Command] = [
        WAYS[way](event_id, f"user-{number}", viewer)
        for event_id in (1, 2, 3)
        for number, viewer in enumerate(viewers)
    ]
    shown, hidden = "EVENT_NOT_BOOKABLE", "EVENT_NOT_FOUND"
    expected = [shown, hidden, shown, hidden, *[hidden] * 4, *["BOOKED"] * 4]
    assert memory.summaries(*commands) == expected


def test_a_party_gets_all_its_seats_or_none() -> None:
    """A party would get only some of its seats."""
    memory = Memory(concert(capacity=5, price_amount_minor=1250, price_currency="EUR"))
    outcomes = memory.decide(*(party(f"acct_{n}", seats) for n, seats in enumerate((3, 3, 2, 1))))
    kept = [made(outcomes[index]).booking for index in (0, 2)]
    assert [(one.seat_count, one.price_amount_minor) for one in kept] == [(3, 3750), (2, 2500)]
    assert [refused(outcomes[index]).reason for index in (1, 3)] == ["SOLD_OUT"] * 2


@pytest.mark.parametrize(
    ("rule", "outcomes"),
    [
        (None, ["BOOKED"] * 4 + ["ALREADY_BOOKED"]),
        (False, ["BOOKED"] * 5),
        (True, ["BOOKED"] + ["ALREADY_BOOKED"] * 4),
    ],
)
def test_the_event_decides_how_many_bookings_a_user_has(
    rule: bool | None, outcomes: list[object]
) -> None:
    """Some way of booking would ignore the event's rule, or limit users without a rule."""
    memory = Memory(concert(one_booking_per_user=rule))
    found = memory.summaries(party("acct_ada", 2), party("acct_ada", 2))
    found += memory.summaries(party("acct_ada", 2), seat("acct_ada"), seat("acct_ada"))
    assert found == outcomes
