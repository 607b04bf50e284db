"""The address of a client: that of its connection, or the one that a trusted proxy names.

Any client can send `X-Forwarded-For`, so only the part that trusted proxies added counts: the list
is read from its end to the first address that is no trusted proxy.
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
IPV6_PREFIX_BITS = 64
"""One client owns a whole /64, so it gains nothing from another address in it."""
MAX_HEADER_BYTES = 512
"""Bytes read from the end of the header: more than any chain of proxies adds."""
CACHED_ADDRESSES = 4096

_FOR = re.compile(r'for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_PORT = re.compile(r":\d+$")


class ClientAddresses:
    """Finds the addresses of clients behind trusted proxies, which name them in one header."""

    def __init__(self, proxies: Sequence[Network], header: str) -> None:
        self._proxies = proxies
        self._header = header.encode()
        self._hops = _forwarded if header == FORWARDED else _forwarded_for
        self._client = lru_cache(maxsize=CACHED_ADDRESSES)(self._find)

    def of(self, peer: str, headers: Mapping[bytes, bytes]) -> str:
        """Returns the network that a request counts for; `peer` is the connection's address."""
        if self._proxies and (sent := headers.get(self._header)):
            return self._client(peer, sent[-MAX_HEADER_BYTES:])
        return client_network(peer)

    def _find(self, peer: str, sent: bytes) -> str:
        client = peer
        for hop in reversed((*self._hops(sent.decode("latin-1")), peer)):
            # A proxy that does not know the address writes a word: the request counts for it.
            if (address := _parsed(hop)) is None:
                break
            client = str(address)
            if not is_within(client, self._proxies):
                break
        return client_network(client)


@lru_cache(maxsize=CACHED_ADDRESSES)
def client_network(address: str) -> str:
    """Returns the address of IPv4, or the /64 network of IPv6, that one client owns."""
    parsed = _parsed(address)
    if not isinstance(parsed, IPv6Address):
        return str(parsed or "")
    return str(ip_network((parsed, IPV6_PREFIX_BITS), strict=False))


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Returns whether an address belongs to one of the networks."""
    parsed = _parsed(address) if networks else None
    return parsed is not None and any(parsed in network for network in networks)


def _forwarded_for(sent: str) -> list[str]:
    return sent.split(",")


def _forwarded(sent: str) -> list[str]:
    """Parses RFC 7239. A client's unclosed quote can hide its own address only."""
    return [hop.strip('"') for hop in _FOR.findall(sent)]


def _parsed(hop: str) -> Address | None:
    """Parses an address: bare, with a port, or in the brackets of IPv6."""
    text = hop.strip()
    if text.startswith("[") or text.count(":") == 1:
        text = _PORT.sub("", text).removeprefix("[").removesuffix("]")
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
