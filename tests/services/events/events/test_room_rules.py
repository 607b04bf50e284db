from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.events.events import room_rules, rules
from services.events.events.room_slots import Movie, Room
from services.kit.rpc.errors import ValidationFailed
from tests.services.events.events.test_rules import EVENT

START = datetime(2030, 5, 1, 20, tzinfo=UTC)
END = START + timedelta(hours=2)
ROOM = Room(id=5, plan_id=9, seat_count=100)
MOVIE = Movie("Storm", duration_minutes=100, is_deleted=False)
IN_ROOM = replace(EVENT, room_id=5, plan_id=9, starts_at=START, ends_at=END)


def wrong(**arguments: Any) -> list[str]:
    """Returns the fields that are refused."""
    with pytest.raises(ValidationFailed) as refused:
        room_rules.completed(**arguments)
    return [violation.path for violation in refused.value.violations]


def test_a_new_screening_has_the_title_of_its_movie_and_the_seats_of_its_room() -> None:
    """Each admin would have to look up both, and could sell seats that are not there."""
    fields = {"movie_id": 3, "room_id": 5, "starts_at": START}
    assert room_rules.completed(None, fields, ROOM, MOVIE) == {
        **fields,
        "name": "Storm",
        "plan_id": 9,
        "total_seats": 100,
        "ends_at": START + timedelta(minutes=115),
    }


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"total_seats": 99, "starts_at": START, "ends_at": END}, ["event.total_seats"]),
        ({"ends_at": END}, ["event.starts_at"]),
        ({"starts_at": START}, ["event.ends_at"]),
        ({"starts_at": END, "ends_at": START}, ["event.ends_at"]),
        ({"starts_at": END, "ends_at": END}, ["event.ends_at"]),
    ],
)
def test_a_room_needs_its_seats_and_a_time(fields: dict[str, Any], paths: list[str]) -> None:
    """The room would be taken for no time, or more seats be sold than it has."""
    fields = {"room_id": 5, **fields}
    assert wrong(event=None, changes=fields, room=ROOM, movie=None) == paths


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ({"total_seats": 5, "ends_at": END}, ["event.ends_at"]),
        ({"total_seats": 5, "movie_id": 3, "room_id": None}, ["event.room_id"]),
    ],
)
def test_without_a_room_there_is_no_end_and_no_screening(
    fields: dict[str, Any], paths: list[str]
) -> None:
    """A screening could be in no room, or what an event has be told by a field it does not use."""
    assert wrong(event=None, changes=fields, room=None, movie=None) == paths


def test_the_end_moves_with_the_start() -> None:
    """A screening that is put off by an hour would have the room for an hour less."""
    later = START + timedelta(hours=1)
    moved = rules.changes_of(IN_ROOM, {"starts_at": later})
    assert moved == {"starts_at": later, "ends_at": END + timedelta(hours=1)}


def test_an_end_that_is_set_does_not_move() -> None:
    """What a client sets would be stored as something else."""
    later = START + timedelta(hours=1)
    assert rules.changes_of(IN_ROOM, {"starts_at": later, "ends_at": END}) == {"starts_at": later}


def test_an_end_after_the_last_year_is_refused() -> None:
    """The sum would fail as a defect of ours."""
    fields = {"movie_id": 3, "room_id": 5, "starts_at": datetime.max.replace(tzinfo=UTC)}
    assert wrong(event=None, changes=fields, room=ROOM, movie=MOVIE) == ["event.starts_at"]


def test_leaving_the_room_gives_up_plan_and_end() -> None:
    """The event would still be one with seats of its own, in no room."""
    left = room_rules.completed(IN_ROOM, {"room_id": None}, None, None)
    assert left == {"room_id": None, "plan_id": None, "ends_at": None}
    assert rules.needs_decision(IN_ROOM, left)


def test_another_room_brings_its_seats() -> None:
    """The seats of the old room would be sold in the new one."""
    other = Room(id=6, plan_id=11, seat_count=40)
    moved = room_rules.completed(IN_ROOM, {"room_id": 6}, other, None)
    assert moved == {"room_id": 6, "plan_id": 11, "total_seats": 40}
    assert rules.needs_decision(IN_ROOM, moved)


def test_prices_are_in_one_currency() -> None:
    """The price of a booking could not be added up."""
    dollars = {"VIP": {"amount_minor": 5, "currency": "USD"}}
    with pytest.raises(ValidationFailed):
        rules.changes_of(
            replace(IN_ROOM, price_amount_minor=5, price_currency="EUR"),
            {"seat_type_prices": dollars},
        )
    assert rules.changes_of(IN_ROOM, {"seat_type_prices": dollars})
