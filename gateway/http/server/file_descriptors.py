"""File descriptors: each connection and stream takes one, and the system limits their number."""

import resource

import structlog

RESERVED_DESCRIPTORS = 200
"""Descriptors kept for everything else: channels to services, files, refused connections."""

log = structlog.get_logger()


def raise_limit() -> int:
    """Allows this process as many file descriptors as it may have, and returns their number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def affordable(connections: int, streams: int, descriptors: int) -> tuple[int, int]:
    """Returns how many connections and streams fit into so many descriptors.

    Streams get at most half of the descriptors. Warns if there are fewer than wanted.
    """
    most = max(1, descriptors - RESERVED_DESCRIPTORS)
    allowed_streams = min(streams, most // 2)
    allowed = min(connections, most - allowed_streams)
    if (allowed, allowed_streams) != (connections, streams):
        log.warning(
            "too few file descriptors",
            descriptors=descriptors,
            connections=allowed,
            streams=allowed_streams,
        )
    return allowed, allowed_streams
