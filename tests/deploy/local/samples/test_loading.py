"""Sample data is loaded through the contract, and loading it again changes nothing."""

import copy
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local.errors import SampleDataError
from deploy.local.samples.cinema import DAYS, MOVIES, SHOWS, screenings
from deploy.local.samples.client import Client
from deploy.local.samples.events import sample_events
from deploy.local.samples.loading import Samples, load
from deploy.local.samples.rooms import GREAT_HALL, HALL_1, HALL_2, ROOMS
from tests.deploy.stand_ins import gateway

NOW = datetime.now(UTC)


class Broken(BaseHTTPRequestHandler):
    """A gateway without any resource that refuses every POST."""

    def do_GET(self) -> None:
        """Lists nothing."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def do_POST(self) -> None:
        """Fails."""
        self.send_error(500)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing."""


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Serves a stand-in for the gateway; yields a client of it."""
    gateway.forget()
    with HTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Client(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    gateway.forget()


@pytest.mark.parametrize("served", [gateway.Handler], indirect=True)
def test_loading_twice_changes_nothing(served: Client) -> None:
    """Each start could create the sample data again."""
    samples = load(served, served, NOW)
    before = copy.deepcopy((gateway.EVENTS, gateway.RESOURCES))
    assert samples == Samples(gateway.EVENTS["sample-chamber-music"], 1)
    assert load(served, served, NOW) == samples
    assert before == (gateway.EVENTS, gateway.RESOURCES)
    assert len(gateway.EVENTS) == len(sample_events(NOW, 1))
    assert len(gateway.RESOURCES["/api/theaters"]) == len(ROOMS)
    assert len(gateway.RESOURCES["/api/movies"]) == len(MOVIES)
    assert len(gateway.RESOURCES["/api/screenings"]) == DAYS * len(SHOWS)


@pytest.mark.parametrize("served", [Broken], indirect=True)
def test_a_refusal_is_reported(served: Client) -> None:
    """A refusal of sample data could go unnoticed."""
    with pytest.raises(SampleDataError, match="answered 500 to POST /api/theaters of Kino Aurora"):
        load(served, served, NOW)


def test_without_a_gateway() -> None:
    """`make seed` without `make run` could end in a traceback."""
    nowhere = Client("http://127.0.0.1:1")
    with pytest.raises(SampleDataError, match="make run"):
        load(nowhere, nowhere, NOW)


def test_sample_events_are_in_the_future() -> None:
    """A sample event could be over, so that nobody can book it."""
    starts = [datetime.fromisoformat(event["starts_at"]) for event in sample_events(NOW, 1)]
    assert min(starts) > NOW


def test_screenings_are_in_the_evening_of_the_theater() -> None:
    """When the clocks change, a screening could start an hour too early or too late."""
    rooms = {HALL_1["name"]: 1, HALL_2["name"]: 2}
    before_the_change = datetime(2026, 10, 22, 12, tzinfo=UTC)
    hours = {one["starts_at"].hour for one in screenings([1, 2, 3], rooms, before_the_change)}
    assert hours == {15, 16, 18, 19}


def test_rooms_have_the_seats_that_are_documented() -> None:
    """A row that is left out changes the number of seats of a room."""
    seats = [sum(row["seats"] for row in room["rows"]) for room in (HALL_1, HALL_2, GREAT_HALL)]
    assert seats == [50, 240, 2_000]
