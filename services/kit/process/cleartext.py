"""Finds what would cross the network without encryption, for the check of settings in production.

Each function returns an empty text if nothing does, and otherwise what is wrong and its remedy.
"""

import os
from collections.abc import Sequence
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from services.kit.process import loopback, ports

ALLOW = "BOXOFFICE_ALLOW_CLEARTEXT"
OTHERWISE = f"or {ALLOW}=true if something else encrypts it"


def of_listening(name: str, address: str, remedy: str) -> str:
    """Checks an address that is listened on without TLS: `host` or `host:port`."""
    host = ports.split(address)[0] if _has_port(address) else address.strip("[]")
    if _is_here(host):
        return ""
    return f"{name}={address} serves other hosts without TLS: set {remedy}, {OTHERWISE}"


def of_target(name: str, target: str, remedy: str) -> str:
    """Checks a gRPC target that is called without TLS."""
    if all(map(_is_here, hosts_of(target))):
        return ""
    return f"{name}={target} is called without TLS: set {remedy}, {OTHERWISE}"


def of_database(name: str, url: str) -> str:
    """Checks the connection string of PostgreSQL, which the text does not show."""
    parts = conninfo_to_dict(url)
    given = parts.get("hostaddr") or parts.get("host") or os.environ.get("PGHOST") or ""
    mode = parts.get("sslmode") or os.environ.get("PGSSLMODE")
    if mode == "verify-full" or all(map(_is_here, str(given).split(","))):
        return ""
    return f"{name} must have sslmode=verify-full for a database on another host, {OTHERWISE}"


def of_url(name: str, url: str, encrypted: str, *cleartext: str) -> str:
    """Checks a URL, which the text does not show; `cleartext` are the schemes without TLS."""
    parts = urlsplit(url)
    if parts.scheme not in cleartext or _is_here(parts.hostname or ""):
        return ""
    return f"{name} must begin with {encrypted} for a server on another host, {OTHERWISE}"


def hosts_of(target: str) -> Sequence[str]:
    """Returns the hosts of a gRPC target; "" stands for a socket of this machine."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in {"unix", "unix-abstract"}:
        return [""]
    if colon and scheme in {"ipv4", "ipv6"}:
        return [_host(address) for address in rest.lstrip("/").split(",")]
    # An authority may come first: dns://8.8.8.8/host:port.
    return [_host(rest.rpartition("/")[2] if scheme in {"dns", "xds"} else target)]


def _host(address: str) -> str:
    return ports.split(address)[0] if _has_port(address) else address.strip("[]")


def _has_port(address: str) -> bool:
    _, colon, port = address.rpartition(":")
    is_bare_ipv6 = address.count(":") > 1 and not address.startswith("[")
    return bool(colon) and port.isdecimal() and not is_bare_ipv6


def _is_here(host: str) -> bool:
    """Returns whether a host is this one: a loopback address, or a socket in the file system."""
    return not host or host.startswith(("/", "@")) or loopback.is_loopback(host)
