"""Which address a request is counted for, and that nobody chooses it for himself."""

from ipaddress import ip_network

import pytest

from gateway.http.client_address import FORWARDED, FORWARDED_FOR, ClientAddresses

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
BEHIND = ClientAddresses(PROXIES, FORWARDED_FOR)
BEHIND_RFC_7239 = ClientAddresses(PROXIES, FORWARDED)


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (b"9.9.9.9", "9.9.9.9"),
        (b"6.6.6.6, 9.9.9.9", "9.9.9.9"),
        (b"6.6.6.6, 9.9.9.9, 10.1.1.1", "9.9.9.9"),
        (b"9.9.9.9:4711", "9.9.9.9"),
        (b"[2001:db8::1]:4711", "2001:db8::/64"),
        (b"2001:db8::1", "2001:db8::/64"),
        (b"::ffff:9.9.9.9", "9.9.9.9"),
        (b"10.1.1.1", "10.1.1.1"),
        (b"6.6.6.6, unknown", "10.0.0.1"),
        (b"6.6.6.6, unknown, 10.1.1.1", "10.1.1.1"),
        (b"6.6.6.6,", "10.0.0.1"),
        (b"999.9.9.9", "10.0.0.1"),
        (b"\xff", "10.0.0.1"),
    ],
)
def test_a_proxy_of_ours_is_believed_about_the_last_who_is_none(sent: bytes, client: str) -> None:
    """What stands before that, its client may have made up."""
    assert BEHIND.of("10.0.0.1", {b"x-forwarded-for": sent}) == client


@pytest.mark.parametrize(
    ("sent", "client"),
    [
        (b"for=9.9.9.9", "9.9.9.9"),
        (b'For="[2001:db8::1]:4711";proto=https', "2001:db8::/64"),
        (b"for=6.6.6.6, for=9.9.9.9;by=10.0.0.1, for=10.1.1.1", "9.9.9.9"),
        (b"for=6.6.6.6, for=_hidden", "10.0.0.1"),
        (b'for="6.6.6.6, for=9.9.9.9', "9.9.9.9"),
        (b'for="6.6.6.6, for="[2001:db8::1]"', "10.0.0.1"),
        (b"by=10.0.0.1", "10.0.0.1"),
    ],
)
def test_rfc_7239_is_read_where_the_proxies_write_it(sent: bytes, client: str) -> None:
    """An unfinished quote of the client's does not hide what the proxy adds behind one of his."""
    assert BEHIND_RFC_7239.of("10.0.0.1", {b"forwarded": sent}) == client


def test_only_one_header_counts() -> None:
    """A proxy that writes one of them hands the other on as its client sent it."""
    headers = {b"forwarded": b"for=6.6.6.6", b"x-forwarded-for": b"9.9.9.9"}
    assert BEHIND.of("10.0.0.1", headers) == "9.9.9.9"
    assert BEHIND_RFC_7239.of("10.0.0.1", headers) == "6.6.6.6"


def test_nobody_else_is_believed() -> None:
    """Anybody could choose the address that their limits are counted for."""
    headers = {b"x-forwarded-for": b"6.6.6.6"}
    assert BEHIND.of("9.9.9.9", headers) == "9.9.9.9"
    assert ClientAddresses((), FORWARDED_FOR).of("10.0.0.1", headers) == "10.0.0.1"


def test_a_network_of_ipv6_is_one_client() -> None:
    """Its owner would escape each limit by changing addresses."""
    one, other = (ClientAddresses((), FORWARDED_FOR).of(f"2001:db8::{n}", {}) for n in (1, 2))
    assert one == other != ClientAddresses((), FORWARDED_FOR).of("2001:db8:0:1::1", {})
