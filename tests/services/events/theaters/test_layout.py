from typing import Any

import pytest

from services.events.theaters.layout import Layout, RowSpec, SeatSpec, plan_of
from services.events.theaters.plan import Area, Plan
from services.kit.rpc.errors import ValidationFailed


def seat(row: str, number: int, **others: Any) -> SeatSpec:
    """Returns a seat of no section."""
    return SeatSpec(**{"section": "", "row": row, "number": number, "type": "REGULAR", **others})


def row(name: str, seats: int, **others: Any) -> RowSpec:
    """Returns a row of no section."""
    usual: dict[str, Any] = {"section": "", "first_number": 1, "type": "REGULAR"}
    return RowSpec(**{**usual, "row": name, "seats": seats, **others})


def area(section: str, places: int) -> Area:
    """Returns an area of regular places."""
    return Area(section, places, "REGULAR")


def planned(*specs: SeatSpec | RowSpec | Area, focal_point: tuple[int, int] | None = None) -> Plan:
    """Returns the plan of what a room is to have."""
    return plan_of(
        Layout(
            seats=[spec for spec in specs if isinstance(spec, SeatSpec)],
            rows=[spec for spec in specs if isinstance(spec, RowSpec)],
            areas=[spec for spec in specs if isinstance(spec, Area)],
            focal_point=focal_point,
        )
    )


def test_seats_are_numbered_in_their_order() -> None:
    """A client would hold another seat than the one that it saw."""
    plan = planned(row("D", 2, first_number=11), seat("C", 7), seat("C", 5), area("Floor", 3))
    found = [(one["seat_id"], one["row"], one["number"]) for one in plan.seats()]
    assert found == [(1, "C", 7), (2, "C", 5), (3, "D", 11), (4, "D", 12)]
    assert plan.seat_count == 7


def test_a_seat_has_what_its_description_says() -> None:
    """A seat for a wheelchair could be sold as any other, at the price of another type."""
    described: dict[str, Any] = {
        "section": "Stalls",
        "row": "C",
        "number": 7,
        "type": "VIP",
        "label": "7a",
        "accessible": True,
        "companion": True,
        "aisle_after": True,
        "x": -5,
        "y": 9,
    }
    [found] = planned(SeatSpec(**described)).seats()
    assert found == {"seat_id": 1, **described}


def test_a_row_names_its_seats_by_their_numbers() -> None:
    """In a row that begins at 11, number 12 could mean the twelfth seat."""
    short = row(
        "D",
        4,
        first_number=11,
        type="VIP",
        types={"DELUXE": [11, 14]},
        accessible=[12],
        companion=[13, 13],
        aisles_after=[12],
    )
    seats = [*planned(short).seats()]
    assert [one["type"] for one in seats] == ["DELUXE", "VIP", "VIP", "DELUXE"]
    for mark, number in (("accessible", 12), ("companion", 13), ("aisle_after", 12)):
        assert [one["number"] for one in seats if one[mark]] == [number]


def test_seats_without_positions_stand_side_by_side() -> None:
    """Best seats would be chosen by distances that no room has."""
    plan = planned(
        seat("A", 1),
        seat("A", 2, aisle_after=True),
        seat("A", 3),
        seat("B", 1, x=50, y=1000),
        seat("B", 2),
        row("C", 2, x=7),
        row("D", 2, aisles_after=[1], y=5),
    )
    found = [(one["x"], one["y"]) for one in plan.seats()]
    assert found == [
        *[(0, 0), (100, 0), (300, 0)],
        *[(50, 1000), (150, 1000)],
        *[(7, 1120), (107, 1120)],
        *[(0, 5), (200, 5)],
    ]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ([row("A", 11), row("B", 11), row("C", 11), row("D", 11)], (500, 240)),
        ([seat("A", 1, x=-3, y=-9)], (-3, -9)),
        ([area("Floor", 10)], (0, 0)),
    ],
)
def test_the_focal_point_is_two_thirds_back(
    specs: list[SeatSpec | RowSpec | Area], expected: tuple[int, int]
) -> None:
    """The best seats of a room without a focal point would be in its first row."""
    assert planned(*specs).focal_point == expected
    assert planned(*specs, focal_point=(1, 2)).focal_point == (1, 2)


@pytest.mark.parametrize(
    ("specs", "path"),
    [
        ([], "seats"),
        ([area("Floor", 100_000), seat("A", 1)], "seats"),
        ([row(f"{index}", 1_000) for index in range(101)], "seats"),
        ([seat("A", 1), seat("A", 1)], "seats[1].number"),
        ([seat("A", 1), seat("B", 1), seat("A", 2)], "seats[2].row"),
        ([seat("A", 1), row("A", 1)], "rows[0].row"),
        ([row("A", 1), row("A", 1)], "rows[1].row"),
        ([row("A", 2, accessible=[1, 3])], "rows[0].accessible[1]"),
        ([row("A", 2, companion=[0])], "rows[0].companion[0]"),
        ([row("A", 2, first_number=7, aisles_after=[1])], "rows[0].aisles_after[0]"),
        ([row("A", 2, types={"VIP": [1, 9]})], "rows[0].types.VIP[1]"),
        ([row("A", 2, types={"VIP": [1], "DELUXE": [1]})], "rows[0].types.DELUXE[0]"),
        ([area("Floor", 1), area("Floor", 1)], "areas[1].section"),
    ],
)
def test_an_impossible_room_is_refused(specs: list[SeatSpec | RowSpec | Area], path: str) -> None:
    """Two seats could have one name, or a run could cross an aisle."""
    with pytest.raises(ValidationFailed) as caught:
        planned(*specs)
    assert [violation.path for violation in caught.value.violations] == [f"room.{path}"]


def test_rows_of_two_sections_may_have_one_name() -> None:
    """A balcony could have no row A."""
    plan = planned(seat("A", 1), seat("A", 1, section="Balcony"), row("A", 1, section="Stalls"))
    assert plan.seat_count == 3


def test_everything_wrong_is_found_at_once() -> None:
    """An admin would mend a room of 500 seats one attempt after the other."""
    with pytest.raises(ValidationFailed) as caught:
        planned(*[seat("A", 1) for _ in range(500)])
    assert len(caught.value.violations) == 100
