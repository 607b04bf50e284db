import json
from pathlib import Path
from typing import Any

import pytest

from boxoffice.events.v1 import seat_plans_pb2
from services.events.theaters import messages
from tests.conftest import Database
from tests.deploy.operator.conftest import Type
from tests.services.events.client import change_rows, rows

CSV = """\
section,row,number,label,type,accessible,companion,aisle_after,x,y,places
Stalls,A,1,,VIP,,,yes,,,
Stalls,A,2,2a,,true,0,,350,10,
Floor,,,,,,,,,,40
,B,7,,,,,,,,
"""


@pytest.fixture(autouse=True)
def theater(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creates theater 1."""
    monkeypatch.setenv("EVENTS_DATABASE_URL", database.events_dsn)
    change_rows(database, "INSERT INTO theaters (name, time_zone) VALUES ('Park', 'UTC')")


def write(folder: Path, name: str, text: str) -> str:
    """Writes a file; returns its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def seats(database: Database, plan_id: int) -> list[dict[str, Any]]:
    """Returns the seats of a plan that differ from the usual."""
    [[stored]] = rows(database, f"SELECT plan FROM seat_plans WHERE id = {plan_id}")
    usual = {"section": "", "type": "REGULAR"}
    usual |= dict.fromkeys(("accessible", "companion", "aisle_after"), False)  # type: ignore[arg-type]
    return [
        {name: value for name, value in seat.items() if usual.get(name) != value}
        for seat in messages.plan(stored).seats()
    ]


def test_a_line_is_a_seat(type_in: Type, database: Database, tmp_path: Path) -> None:
    """A seat would lose what its line says of it."""
    file = write(tmp_path, "Blue Hall.csv", CSV)
    result = type_in("import-room", file, "--theater", "1")
    assert result.output == "Room 1, Blue Hall, has 43 seats: plan 1.\n"
    in_stalls = {"section": "Stalls", "row": "A"}
    assert seats(database, 1) == [
        {**in_stalls, "seat_id": 1, "number": 1, "label": "1", "type": "VIP"}
        | {"aisle_after": True, "x": 0, "y": 0},
        {**in_stalls, "seat_id": 2, "number": 2, "label": "2a", "accessible": True}
        | {"x": 350, "y": 10},
        {"row": "B", "seat_id": 3, "number": 7, "label": "7", "x": 0, "y": 120},
    ]
    [[stored]] = rows(database, "SELECT plan FROM seat_plans")
    [floor] = seat_plans_pb2.SeatPlan.FromString(stored).areas
    assert (floor.section, floor.places) == ("Floor", 40)


def test_a_body_of_a_request_is_a_file_too(
    type_in: Type, database: Database, tmp_path: Path
) -> None:
    """An admin whose room outgrows a request would have to describe it anew."""
    body = {"name": "Hall 1", "rows": [{"row": "A", "seats": 3, "types": {"VIP": [2]}}]}
    file = write(tmp_path, "room.json", json.dumps(body))
    assert type_in("import-room", file, "--theater", "1").exit_code == 0
    assert rows(database, "SELECT name, version FROM rooms") == [("Hall 1", 1)]
    other = write(tmp_path, "other.csv", "row,number\nA,1\n")
    changed = type_in("import-room", other, "--room", "1", "--name", "Hall 2")
    assert changed.output == "Room 1, Hall 2, has 1 seats: plan 2.\n"
    again = type_in("import-room", file, "--room", "1")
    assert again.output == "Room 1, Hall 2, has 3 seats: plan 1.\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,number\nA,1\nA,x\n", "line 3, number: must be an integer"),
        ("row,number\nA,1\nB,1\nA,2\n", "line 4, row: must follow the other seats of its row"),
        ("row,number,type\nA,1,GOLD\n", "line 2, type: "),
        ("row,number,accessible\nA,1,maybe\n", "line 2, accessible: must be true or false"),
        ("section,places\nFloor,1\nFloor,2\n", "line 3, section: is the name of another area"),
        ("row,number\nA,1,2\n", "line 2: must have as many columns as the first line"),
        ("row,seat\nA,1\n", "line 1: must name columns"),
        ("row,number\n", "seats: must be 1 to 100,000 seats"),
        ("", "line 1: must name columns"),
    ],
)
def test_a_mistake_in_a_room_is_named_by_its_line(
    type_in: Type, database: Database, tmp_path: Path, text: str, message: str
) -> None:
    """An operator could not find the seat among thousands."""
    result = type_in("import-room", write(tmp_path, "x.csv", text), "--theater", "1")
    assert (result.exit_code, message in result.output) == (1, True), result.output
    assert rows(database, "SELECT FROM rooms") == []


def test_a_file_that_is_no_room_is_refused(type_in: Type, tmp_path: Path) -> None:
    """A traceback says nothing to an operator."""
    for name, text in (("x.json", "{"), ("x.csv", 'row,number\n"A,1\n')):
        result = type_in("import-room", write(tmp_path, name, text), "--theater", "1")
        assert "is neither JSON nor CSV" in result.output
    file = write(tmp_path, "y.csv", CSV)
    assert "No such theater" in type_in("import-room", file, "--theater", "2").output
    assert "No such room" in type_in("import-room", file, "--room", "2").output
    assert "give either" in type_in("import-room", file).output


def test_a_room_may_have_a_stadium_of_seats(
    type_in: Type, database: Database, tmp_path: Path
) -> None:
    """No request may have that many: this is what the command is for."""
    lines = [f"{row},{number}" for row in range(40) for number in range(1_000)]
    file = write(tmp_path, "stadium.csv", "\n".join(["row,number", *lines]))
    result = type_in("import-room", file, "--theater", "1")
    assert result.output == "Room 1, stadium, has 40000 seats: plan 1.\n"
    assert rows(database, "SELECT seat_count FROM seat_plans") == [(40_000,)]
