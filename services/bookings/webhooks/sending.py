"""Sending requests to addresses that strangers name, without reaching into our own network."""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

SECONDS = 5.0
MOST_BYTES = 64 * 1024
RESOLVING = 16
"""Names that are looked up at once. A look-up takes longer than a request is waited for."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All other addresses of IPv6 are reserved, or lead into our own network or to IPv4."""
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""What some releases of Python take for public."""

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
Lookup = Callable[..., Sequence[AddressInfo]]


class SendError(Exception):
    """No response came; the message is for the owner of the webhook."""


class Sender:
    """Sends requests. With `public_only` it connects to public addresses only.

    A name is resolved once, and the guard sees the address that is connected to, so an answer that
    changes gains nothing. Redirects are not followed, proxies of the environment not used.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Sends a request; returns the status of the response, of which 64 KiB are read.

        Raises SendError, after 5 s at the latest.
        """
        try:
            async with self._session.post(
                url, headers=headers, data=body, allow_redirects=False
            ) as response:
                await _read_some(response)
                return response.status
        except TimeoutError as error:
            raise SendError(f"no response within {SECONDS:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise SendError(_reason(error)) from error


@contextlib.asynccontextmanager
async def open_sender(*, public_only: bool) -> AsyncIterator[Sender]:
    """Opens a sender."""
    factory = public_socket if public_only else None
    resolver = Resolver()
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=resolver, use_dns_cache=False, socket_factory=factory
            ),
            timeout=aiohttp.ClientTimeout(total=SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"user-agent": "Boxoffice-Webhooks"},
        ) as session:
            yield Sender(session)
    finally:
        await resolver.close()


class Resolver(AbstractResolver):
    """Resolves names in threads of its own.

    A name server of strangers may hold a thread for long, and the service needs the common ones.
    """

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(RESOLVING, "resolver")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Returns the addresses of a name; raises OSError if there are none."""
        lookup = partial(self._lookup, host, port, family, socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, lookup)
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=address[1],
                family=family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for family, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Waits for no look-up that is under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def public_socket(info: AddressInfo) -> socket.socket:
    """Returns a socket for an address that is about to be connected to.

    Raises OSError for one that is not public.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise OSError("the address is not public")
    return socket.socket(family, kind, protocol)


def is_address(host: str) -> bool:
    """Returns whether a host is an address, in any spelling that the client does not resolve."""
    return ":" in host or host.replace(".", "").isdigit()


def is_public(host: str) -> bool:
    """Returns whether a host is a public IP address, also for one that is wrapped in IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return is_public(str(address.ipv4_mapped))
        if address not in _UNICAST or address.sixtofour or address.teredo:
            return False
    is_reserved = any(address in network for network in _RESERVED)
    return address.is_global and not address.is_multicast and not is_reserved


async def _read_some(response: aiohttp.ClientResponse) -> None:
    """Reads a body, so that the connection can be used again; closes it if the body is large."""
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MOST_BYTES:
            response.close()
            return


def _reason(error: Exception) -> str:
    """Returns what went wrong; nothing of what the other side sent."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the name cannot be resolved"
        case aiohttp.ClientSSLError():
            return "the certificate is not valid, or TLS failed"
        case aiohttp.ClientConnectorError():
            return "cannot connect to a public address of the host"
        case _:
            return "the connection broke, or the response is not HTTP"
