from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.events.errors import InvalidTransition
from services.events.events import rules
from services.events.events.revisions import Event
from services.kit.rpc.errors import ValidationFailed

NOON = datetime(2030, 5, 1, 12, tzinfo=UTC)
EVENT = Event(
    id=7,
    revision=3,
    key="jazz",
    name="Jazz",
    description=None,
    total_seats=100,
    status="PUBLISHED",
    starts_at=None,
    venue=None,
    time_zone=None,
    sales_open_at=NOON,
    sales_close_at=None,
    price_amount_minor=None,
    price_currency=None,
    one_booking_per_user=None,
    movie_id=None,
    room_id=None,
    theater_id=None,
    plan_id=None,
    ends_at=None,
    seat_type_prices=None,
    orphan_rule=None,
    refund_until=None,
    organizer_id=None,
    created_at=NOON,
    updated_at=NOON,
    deleted_at=None,
    epoch="",
)
ALLOWED = {
    ("DRAFT", "PUBLISHED"),
    ("PUBLISHED", "DRAFT"),
    ("PUBLISHED", "CANCELLED"),
    ("PUBLISHED", "COMPLETED"),
}
STATUSES = ("DRAFT", "PUBLISHED", "CANCELLED", "COMPLETED")


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_a_status_moves_only_as_the_contract_says(before: str, after: str) -> None:
    """A status could change in a way that the contract excludes."""
    event = replace(EVENT, status=before)
    if before == after:
        assert rules.changes_of(event, {"status": after}) == {}
    elif (before, after) in ALLOWED:
        assert rules.changes_of(event, {"status": after}) == {"status": after}
    else:
        with pytest.raises(InvalidTransition):
            rules.changes_of(event, {"status": after})


@pytest.mark.parametrize(
    "changes",
    [
        {"total_seats": 99},
        {"status": "DRAFT"},
        {"status": "CANCELLED"},
        {"status": "COMPLETED"},
        {"one_booking_per_user": True},
        {"deleted_at": NOON},
        {"name": "Rock", "total_seats": 1},
    ],
)
def test_a_change_that_takes_something_away_needs_a_decision(changes: dict[str, Any]) -> None:
    """A change could take away what is booked."""
    assert rules.needs_decision(EVENT, changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"total_seats": 101},
        {"name": "Rock", "venue": "Hall"},
        {"starts_at": NOON, "sales_close_at": NOON},
        {"price_amount_minor": 1, "price_currency": "EUR"},
    ],
)
def test_a_change_that_only_adds_needs_no_decision(changes: dict[str, Any]) -> None:
    """A harmless change would fail while bookings is down."""
    assert not rules.needs_decision(EVENT, changes)
    assert not rules.needs_decision(replace(EVENT, status="DRAFT"), {"status": "PUBLISHED"})


def test_a_sales_window_is_checked_against_the_half_that_stays() -> None:
    """Sales could close before they open."""
    with pytest.raises(ValidationFailed) as refused:
        rules.changes_of(EVENT, {"sales_close_at": NOON})
    assert refused.value.violations[0].path == "event.sales_close_at"


def test_the_key_never_changes() -> None:
    """The key of an event could be changed, or sending the same key be refused."""
    assert rules.changes_of(EVENT, {"key": "jazz"}) == {}
    for key in ("rock", None):
        with pytest.raises(ValidationFailed):
            rules.changes_of(EVENT, {"key": key})
