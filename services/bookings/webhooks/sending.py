"""Sending requests to addresses that strangers name, without reaching into our own network."""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

SECONDS = 5.0
MOST_BYTES = 64 * 1024
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


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
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(use_dns_cache=False, socket_factory=factory),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"user-agent": "Boxoffice-Webhooks"},
    ) as session:
        yield Sender(session)


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
        # They lead to addresses of IPv4 that a gateway chooses.
        if address.sixtofour or address.teredo or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


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
