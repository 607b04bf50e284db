"""The addresses of `localhost`."""

from pathlib import Path

import pytest

from services.kit.process import loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_localhost_is_every_loopback_address(host: str) -> None:
    """A client could try the one address of `localhost` that nobody listens on."""
    interfaces = Path("/proc/net/if_inet6")
    has_ipv6 = interfaces.exists() and f"{1:032x} " in interfaces.read_text(encoding="ascii")
    assert loopback.addresses(host) == ("127.0.0.1", "::1")[: 1 + has_ipv6]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "192.0.2.1", "gateway.internal", ""])
def test_every_other_host_is_itself(host: str) -> None:
    """A process could listen on more addresses than its setting names."""
    assert loopback.addresses(host) == (host,)
