"""`boxoffice load` against a running system, each of its profiles."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deploy.operator.__main__ import boxoffice
from tests.e2e.cinema import open_cinema
from tests.e2e.client import create_event, open_client
from tests.e2e.system import System

ROWS = [{"row": row, "seats": 10} for row in "ABCD"]


def load(system: System, *arguments: object) -> Result:
    """Runs `boxoffice load` on a system."""
    typed = ["load", system.url, *map(str, arguments)]
    return CliRunner().invoke(boxoffice, typed, prog_name="boxoffice")


def test_a_rush_for_an_event_that_is_made(system: System, tmp_path: Path) -> None:
    """A rush could sell seats that the check does not find, or leave the event behind."""
    record, picture = tmp_path / "run.json", tmp_path / "run.svg"
    result = load(
        system, "--buyers", 40, "--seats", 25, "--seconds", 0.2, "--delete",
        "--record", record, "--picture", picture,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "CHECK PASSED: every booking is as it was told, 25 seats booked and 0 left." in (
        result.output
    )
    found = json.loads(record.read_bytes())
    assert found["outcomes"] == {"booked": 25, "refused sold_out": 15}
    assert sum(part["requests"] for part in found["series"]["bins"]) == 40
    assert found["series"]["bins"][-1]["left"] == 0
    assert ET.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own
    with open_client(system.url) as client:
        assert client.get(f"/events/{found['event_id']}").status_code == 404


def test_a_steady_load_on_an_event_that_exists(system: System) -> None:
    """Bookings that others have could be taken for a defect, or the rate not be kept."""
    with open_client(system.url) as client:
        event_id = create_event(client, total_seats=100)["id"]
        body = {"event_id": event_id, "user_id": "somebody else"}
        assert client.post("/api/bookings/reserve", json=body).status_code == 201
    result = load(
        system, "--profile", "steady", "--rate", 50, "--seconds", 0.5, "--event", event_id, "--json"
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["outcomes"] == {"booked": 25}
    assert found["check"]["seats_sold"] == 26


@pytest.fixture
def screening(system: System) -> int:
    """Puts on a screening with a price, in a room of forty seats."""
    with open_cinema(system) as cinema:
        return cinema.screening(ROWS, price={"amount_minor": 900, "currency": "EUR"})


def test_a_demo_with_seats_and_payments(system: System, screening: int) -> None:
    """Held, paid, returned and cancelled seats could differ from what the buyers were told."""
    result = load(
        system,
        "--profile",
        "demo",
        "--event",
        screening,
        "--buyers",
        15,
        "--seconds",
        0.5,
        "--json",
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["outcomes"].keys() <= {"booked", "cancelled", "refused seats_unavailable",
                                        "refused sold_out"}  # fmt: skip
    assert found["outcomes"]["booked"] > 0
    assert found["check"]["notes"][0].startswith("The event is not the test's own")
