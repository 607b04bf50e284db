"""Which address a client has: that of its connection, unless that is a proxy which we trust.

Everybody can send `X-Forwarded-For`, so only what trusted proxies have added to it is believed: the
list is read from its end, to the first address that is none of theirs.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

FORWARDED = "forwarded"
FORWARDED_FOR = "x-forwarded-for"
HOUSEHOLD_BITS = 64
"""Prefix of IPv6 that one client has to itself, so that another address in it is no use."""
READ_BYTES = 512
"""How much of a header is read, from its end: more than any chain of proxies adds to it."""
REMEMBERED = 4096

_FOR = re.compile(r'for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_PORT = re.compile(r":\d+$")


class Addresses:
    """Tells the addresses of clients behind some proxies, which speak of them in one header."""

    def __init__(self, proxies: Sequence[Network], header: str) -> None:
        self._proxies = proxies
        self._header = header.encode()
        self._hops = _forwarded if header == FORWARDED else _forwarded_for
        self._client = lru_cache(maxsize=REMEMBERED)(self._find)

    def of(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """Gives the address that a request is counted for; `peer` is that of its connection."""
        if self._proxies and (sent := headers.get(self._header)):
            return self._client(peer, sent[-READ_BYTES:])
        return counted(peer)

    def _find(self, peer: str, sent: bytes) -> str:
        client = peer
        for hop in reversed((*self._hops(sent.decode("latin-1")), peer)):
            # What is no address was not known to the proxy, which answers for it then.
            if (address := _parsed(hop)) is None:
                break
            client = str(address)
            if not is_within(client, self._proxies):
                break
        return counted(client)


@lru_cache(maxsize=REMEMBERED)
def counted(address: str) -> str:
    """Gives what an address is counted as: itself, or the network that its owner has."""
    parsed = _parsed(address)
    if not isinstance(parsed, IPv6Address):
        return str(parsed or "")
    return str(ip_network((parsed, HOUSEHOLD_BITS), strict=False))


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Returns whether an address belongs to one of the networks."""
    parsed = _parsed(address) if networks else None
    return parsed is not None and any(parsed in network for network in networks)


def _forwarded_for(sent: str) -> list[str]:
    return sent.split(",")


def _forwarded(sent: str) -> list[str]:
    """Reads RFC 7239. What opens a quote before ours hides its own address, and names no other."""
    return [hop.strip('"') for hop in _FOR.findall(sent)]


def _parsed(hop: str) -> Address | None:
    """Reads an address: bare, with a port, or in the brackets of IPv6."""
    text = hop.strip()
    if text.startswith("[") or text.count(":") == 1:
        text = _PORT.sub("", text).removeprefix("[").removesuffix("]")
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
