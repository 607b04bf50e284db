"""Finds out that a port is taken before anything is started."""

import errno
import socket

from deploy.local.errors import PortTakenError
from deploy.local.settings import RunSettings
from services.kit import loopback

_LOOPBACK = "127.0.0.1"


def check_ports(settings: RunSettings) -> None:
    """Raises PortTakenError for the first port that cannot be listened on."""
    wanted = [
        (settings.host, settings.port, "PORT"),
        *((settings.host, port, "EXTRA_PORTS") for port in settings.extra_ports),
        (_LOOPBACK, settings.events_port, "EVENTS_PORT"),
        (_LOOPBACK, settings.bookings_port, "BOOKINGS_PORT"),
        (_LOOPBACK, settings.accounts_port, "ACCOUNTS_PORT"),
        (_LOOPBACK, settings.mailbox_port, "MAILBOX_PORT"),
    ]
    seen: dict[int, str] = {}
    for host, port, setting in wanted:
        if port in seen:
            raise PortTakenError(
                f"{seen[port]} and {setting} both ask for port {port}; change one of them"
            )
        seen[port] = setting
        for address in loopback.addresses(host):
            _check(address, port, setting)


def _check(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as exc:
        reason = "taken" if exc.errno == errno.EADDRINUSE else f"not to be had ({exc.strerror})"
        raise PortTakenError(
            f"port {port} on {host} is {reason}; choose another with {setting}=<port>"
        ) from exc
