"""Listening ports: retries while a port is taken, then names the process that has it.

The ports of the services are in the range that Linux uses for outgoing connections, so a port can
be taken by a connection for a while.
"""

import contextlib
import errno
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psutil

from services.kit.rpc.errors import StartError

PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.05

ResultT = TypeVar("ResultT")


class CannotListenError(StartError):
    """The process cannot listen on an address."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")


def retry_while_taken(
    bind: Callable[[], ResultT], *, patience_seconds: float = PATIENCE_SECONDS
) -> ResultT:
    """Retries `bind` while the port is taken, for `patience_seconds`. Raises OSError."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return bind()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_SECONDS)  # nothing announces a free port


def split(address: str) -> tuple[str, int]:
    """Splits `host:port`; an IPv6 address is in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def join(host: str, port: int) -> str:
    """Joins `host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check(host: str, port: int) -> None:
    """Raises OSError if the port cannot be bound; leaves it free."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    socket.create_server((host, port), family=family).close()


def reason(error: OSError, port: int) -> str:
    """Returns why a port cannot be bound: the process that has it, or the system's error."""
    if error.errno != errno.EADDRINUSE:
        return error.strerror or str(error)
    return f"the port is taken{_holder(port)}"


def _holder(port: int) -> str:
    """Names the process that has the port, if the system reveals it."""
    with contextlib.suppress(psutil.Error):
        found = [one for one in psutil.net_connections("tcp") if _has(one, port)]
        # The listener first: the connections that it accepted have the same port.
        for one in sorted(found, key=lambda one: one.status != psutil.CONN_LISTEN):
            outgoing = "" if one.status == psutil.CONN_LISTEN else " for an outgoing connection"
            return f" by {psutil.Process(one.pid).name()}, process {one.pid}{outgoing}"
    return ""


def _has(connection: Any, port: int) -> bool:
    return connection.pid is not None and connection.laddr[1:] == (port,)
