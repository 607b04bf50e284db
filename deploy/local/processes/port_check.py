"""Checks that all ports are free before any process is started."""

import errno

from deploy.local.errors import PortTakenError
from deploy.local.settings import RunSettings
from services.kit.process import loopback, ports

_LOOPBACK = "127.0.0.1"


def check_ports(
    settings: RunSettings,
    *,
    has_mailbox: bool = True,
    patience_seconds: float = ports.PATIENCE_SECONDS,
) -> None:
    """Raises PortTakenError for the first port that cannot be listened on, even a moment later."""
    wanted = [
        (settings.host, settings.port, "PORT"),
        *((settings.host, port, "EXTRA_PORTS") for port in settings.extra_ports),
        (_LOOPBACK, settings.events_port, "EVENTS_PORT"),
        (_LOOPBACK, settings.bookings_port, "BOOKINGS_PORT"),
        (_LOOPBACK, settings.accounts_port, "ACCOUNTS_PORT"),
        *([(_LOOPBACK, settings.mailbox_port, "MAILBOX_PORT")] if has_mailbox else []),
    ]
    seen: dict[int, str] = {}
    for host, port, setting in wanted:
        if port in seen:
            raise PortTakenError(
                f"{seen[port]} and {setting} both ask for port {port}; change one of them"
            )
        seen[port] = setting
        for address in loopback.addresses(host):
            _check(address, port, setting, patience_seconds)


def _check(host: str, port: int, setting: str, patience_seconds: float) -> None:
    def bind() -> None:
        ports.check(host, port)

    try:
        ports.retry_while_taken(bind, patience_seconds=patience_seconds)
    except OSError as exc:
        is_taken = exc.errno == errno.EADDRINUSE
        remedy = f"choose another with {setting}=<port>"
        if not is_taken and host != _LOOPBACK:
            remedy += ", or another address with GATEWAY_HOST"
        raise PortTakenError(
            f"cannot listen on port {port} of {host}: {ports.reason(exc, port)}; {remedy}"
        ) from exc
