"""Metrics and log lines of requests."""

import pytest
from structlog.testing import capture_logs

from gateway.http.messages import Request, Response
from gateway.http.middleware.access_log import TROUBLE_LINES_PER_SECOND, AccessLog
from gateway.http.routing import Route

REQUEST = Request("GET", "/", {}, b"", {}, "mine", b"")


async def lines(status: int, *, times: int, log_sample: float = 0) -> int:
    """Makes requests that all get one status; returns the number of lines in the log."""

    async def handle(_: Request) -> Response:
        return Response(status, (), b"")

    observed = AccessLog(log_sample, 60).wrap(Route("GET", "/", handle), handle)
    with capture_logs() as found:
        for _ in range(times):
            await observed(REQUEST)
    return len(found)


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_failures_are_logged(status: int) -> None:
    """A failure would leave no trace where only a sample is logged."""
    assert await lines(status, times=3) == 3
    assert await lines(200, times=3) == 0


async def test_a_flood_of_failures_does_not_flood_the_log() -> None:
    """Thousands of lines would slow a busy gateway; the requests may span two seconds."""
    assert await lines(503, times=1_000) <= 2 * TROUBLE_LINES_PER_SECOND


async def test_the_sample_is_logged_in_a_flood_too() -> None:
    """A request of the sample could not be followed through all processes."""
    assert await lines(503, times=1_000, log_sample=1) == 1_000


async def test_the_development_log_has_each_request_with_its_path() -> None:
    """A sample would hide the request that is looked for; a token in it is worth a place."""

    async def handle(_: Request) -> Response:
        return Response(200, (), b"")

    route = Route("GET", "/events/{event_id}", handle)
    observed = AccessLog(0, 60, log_requests=True).wrap(route, handle)
    with capture_logs() as found:
        await observed(Request("GET", "/events/7", {}, b"page_size=2", {}, "mine", b""))
        await observed(Request("GET", "/events/7", {}, b"", {}, "mine", b""))
        query = b"after_revision=1&queue_token=secret&x=1"
        await observed(Request("GET", "/events/7", {}, query, {}, "mine", b""))
    assert [line["path"] for line in found] == [
        "/events/7?page_size=2",
        "/events/7",
        "/events/7?after_revision=1&queue_token=…&x=1",
    ]


async def test_no_other_log_has_paths() -> None:
    """A path may contain a secret: the reference of a booking that was made without a token."""

    async def handle(_: Request) -> Response:
        return Response(503, (), b"")

    observed = AccessLog(1, 60).wrap(Route("GET", "/bookings/{reference}", handle), handle)
    with capture_logs() as found:
        await observed(Request("GET", "/bookings/canary", {}, b"canary", {}, "mine", b""))
    assert "canary" not in str(found)
