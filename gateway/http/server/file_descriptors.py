"""File descriptors: each connection takes one, and the system bounds them."""

import resource

import structlog

OTHERS = 200
"""Descriptors that are left for what is no connection: sockets of services, files, refusals."""

log = structlog.get_logger()


def raise_limit() -> int:
    """Allows this process as many file descriptors as it may have, and returns their number."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def affordable(connections: int, descriptors: int) -> int:
    """Returns how many connections fit into so many descriptors; warns if fewer than wanted."""
    most = max(1, descriptors - OTHERS)
    if connections > most:
        log.warning("too few file descriptors", descriptors=descriptors, connections=most)
    return min(connections, most)
