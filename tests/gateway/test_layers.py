"""What happens around every route."""

import pytest
from structlog.testing import capture_logs

from gateway.exchange import Answer, Request
from gateway.layers import TROUBLE_LINES_PER_SECOND, AccessLog
from gateway.routing import Route

REQUEST = Request("GET", "/", {}, b"", {}, "mine", b"")


async def lines(status: int, *, times: int, log_sample: float = 0) -> int:
    """Counts the lines in the log when all of so many requests are answered alike."""

    async def handle(_: Request) -> Answer:
        return Answer(status, (), b"")

    observed = AccessLog(log_sample, 60).wrap(Route("GET", "/", handle), handle)
    with capture_logs() as found:
        for _ in range(times):
            await observed(REQUEST)
    return len(found)


@pytest.mark.parametrize("status", [500, 503, 504])
async def test_what_failed_is_logged(status: int) -> None:
    """Though nothing else is."""
    assert await lines(status, times=3) == 3
    assert await lines(200, times=3) == 0


async def test_a_flood_of_failures_does_not_flood_the_log() -> None:
    """Two seconds have room for twice as many lines, and these take no longer."""
    assert await lines(503, times=1_000) <= 2 * TROUBLE_LINES_PER_SECOND


async def test_the_share_that_is_logged_is_logged_in_a_flood_too() -> None:
    """So one request can be followed through all processes."""
    assert await lines(503, times=1_000, log_sample=1) == 1_000
