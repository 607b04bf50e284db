"""Ports that are taken: tries again for a moment, then names the process that has the port.

The ports of the services lie in the range from which Linux takes those of outgoing connections, so
that for a while one can belong to a client's own connection.
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
    """An address cannot be listened on."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")


def patiently(
    bind: Callable[[], ResultT], *, patience_seconds: float = PATIENCE_SECONDS
) -> ResultT:
    """Binds again and again while the port is taken, until the time is over. Raises OSError."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return bind()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE_SECONDS)  # a port that comes free tells nobody


def parts(address: str) -> tuple[str, int]:
    """Splits `host:port`; an address of IPv6 is in brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def joined(host: str, port: int) -> str:
    """Writes `host:port`, with an address of IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check(host: str, port: int) -> None:
    """Raises OSError where the port cannot be listened on; leaves it free."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    socket.create_server((host, port), family=family).close()


def reason(error: OSError, port: int) -> str:
    """Says why a port cannot be listened on: who has it, or what the system says."""
    if error.errno != errno.EADDRINUSE:
        return error.strerror or str(error)
    return f"the port is taken{_holder(port)}"


def _holder(port: int) -> str:
    """Names the process that has the port, where the system shows it to us."""
    with contextlib.suppress(psutil.Error):
        found = [one for one in psutil.net_connections("tcp") if _has(one, port)]
        # Who listens has the port; the connections that it accepted have the same number.
        for one in sorted(found, key=lambda one: one.status != psutil.CONN_LISTEN):
            outgoing = "" if one.status == psutil.CONN_LISTEN else " for an outgoing connection"
            return f" by {psutil.Process(one.pid).name()}, process {one.pid}{outgoing}"
    return ""


def _has(connection: Any, port: int) -> bool:
    return connection.pid is not None and connection.laddr[1:] == (port,)
