"""How many connections a process can have."""

import resource

from structlog.testing import capture_logs

from gateway.http.server import file_descriptors
from gateway.settings import Settings
from gateway.wiring.limits import limits_of


def test_the_limit_is_as_high_as_it_may_be() -> None:
    """Most systems give a process 1,024 file descriptors until it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
    assert file_descriptors.raise_limit() == hard
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_no_more_connections_are_allowed_than_there_are_descriptors_for() -> None:
    """Without one a connection is accepted and dropped, and the gateway reaches no service."""
    with capture_logs() as lines:
        limits = limits_of(Settings(max_connections=10_000, max_streams=10_000), 1_024)
    assert (limits.connections, limits.address_connections, limits.streams) == (412, 103, 412)
    assert [(line["connections"], line["streams"]) for line in lines] == [(412, 412)]


def test_the_wanted_number_is_allowed_if_there_is_room() -> None:
    """The gateway would warn of limits that are high enough."""
    with capture_logs() as lines:
        limits = limits_of(
            Settings(max_connections=600, address_connections=7, max_streams=200), 1_024
        )
    assert (limits.connections, limits.address_connections, limits.streams) == (600, 7, 200)
    assert not lines
