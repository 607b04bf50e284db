"""Sample data is loaded through the contract, and loading it again changes nothing."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from deploy.local.errors import SampleDataError
from deploy.local.sample_events import sample_events, seed
from tests.deploy.stand_ins import gateway


class Broken(BaseHTTPRequestHandler):
    """A gateway that refuses every request."""

    def do_POST(self) -> None:
        """Fails."""
        self.send_error(500)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Logs nothing."""


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[str]:
    """Serves a stand-in for the gateway; yields its URL."""
    with HTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("served", [gateway.Handler], indirect=True)
def test_loading_twice_changes_nothing(served: str) -> None:
    """Each start could create the sample events again."""
    assert seed(served) == seed(served) == gateway.EVENTS["sample-chamber-music"]
    assert len(gateway.EVENTS) == len(sample_events(datetime.now(UTC)))


@pytest.mark.parametrize("served", [Broken], indirect=True)
def test_a_refusal_is_reported(served: str) -> None:
    """A refused sample event could go unnoticed."""
    with pytest.raises(SampleDataError, match="answered 500 to the event sample-chamber-music"):
        seed(served)


def test_without_a_gateway() -> None:
    """`make seed` without `make run` could end in a traceback."""
    with pytest.raises(SampleDataError, match="make run"):
        seed("http://127.0.0.1:1")


def test_sample_events_are_in_the_future() -> None:
    """A sample event could be over, so that nobody can book it."""
    now = datetime.now(UTC)
    starts = [datetime.fromisoformat(event["starts_at"]) for event in sample_events(now)]
    assert min(starts) > now
