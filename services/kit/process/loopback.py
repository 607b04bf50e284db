"""The loopback addresses of this machine: `localhost` has one of IPv4 and one of IPv6."""

import ipaddress
import socket
from collections.abc import Sequence

IPV4, IPV6 = "127.0.0.1", "::1"


def addresses(host: str) -> Sequence[str]:
    """Returns the addresses to listen on for a host.

    Clients try the two addresses of `localhost` in either order. So `localhost` and 127.0.0.1 give
    both addresses if the machine has both.
    """
    if host not in {"localhost", IPV4}:
        return (host,)
    return (IPV4, IPV6) if _has_ipv6() else (IPV4,)


def is_loopback(host: str) -> bool:
    """Returns whether a host is a loopback address, or `localhost`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((IPV6, 0))
    except OSError:
        return False
    return True
