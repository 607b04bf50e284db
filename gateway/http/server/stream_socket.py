"""Sockets of streams: how much the system keeps for a client, and when it gives up on it."""

import asyncio
import socket

SEND_BUFFER_BYTES = 64 * 1024
"""By default the system would keep megabytes of a stream for each client that reads slowly."""

UNACKNOWLEDGED_MILLISECONDS = 20_000
"""How long a client that has gone without a word may leave data unacknowledged."""

_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Only Linux has it; elsewhere such a client is noticed later."""


def tune(transport: asyncio.Transport) -> None:
    """Sets the options of a connection that becomes a stream."""
    opened: socket.socket | None = transport.get_extra_info("socket")
    if opened is None or opened.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if _USER_TIMEOUT is not None:
        opened.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, UNACKNOWLEDGED_MILLISECONDS)
