"""File descriptors: each connection takes one, and the system limits their number."""

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


def affordable(connections: int, descriptors: int) -> int:
    """Returns how many connections fit into so many descriptors; warns if fewer than wanted."""
    most = max(1, descriptors - RESERVED_DESCRIPTORS)
    if connections > most:
        log.warning("too few file descriptors", descriptors=descriptors, connections=most)
    return min(connections, most)
