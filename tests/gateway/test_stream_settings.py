"""The settings of streams."""

from dataclasses import replace

import pytest

from gateway.__main__ import stream_limit
from gateway.http.server.limits import LIMITS
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(max_streams=4), (4, 1)),
        (Settings(max_streams=4096), (50, 12)),
        (Settings(max_streams=4096, address_streams=7), (50, 7)),
        (Settings(max_streams=0), (0, 1)),
    ],
)
def test_streams_leave_half_of_the_connections(
    settings: Settings, expected: tuple[int, int]
) -> None:
    """Watchers would keep every connection busy, and nobody could buy."""
    limit = stream_limit(settings, replace(LIMITS, connections=100))
    assert (limit.max_streams, limit.address_streams) == expected
