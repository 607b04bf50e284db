"""The settings of streams."""

from dataclasses import replace

import pytest

from gateway.http.server.limits import LIMITS
from gateway.settings import Settings
from gateway.wiring.limits import stream_limit


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), (100, 50)),
        (Settings(max_streams=4, address_streams=7), (4, 7)),
        (Settings(max_streams=0), (0, 50)),
    ],
)
def test_streams_have_a_limit_in_all_and_for_each_address(
    settings: Settings, expected: tuple[int, int]
) -> None:
    """One script would take every stream, or watchers all file descriptors."""
    limit = stream_limit(settings, replace(LIMITS, streams=100))
    assert (limit.max_streams, limit.address_streams) == expected
