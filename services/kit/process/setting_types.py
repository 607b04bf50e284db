"""Types of settings, with checks whose messages show no secret."""

import re
from typing import Annotated, Literal

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, Field

HIGHEST_PORT = 65_535

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(\d{1,5})")
_TARGET = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|xds):\S+")


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _is_address(value: str) -> bool:
    found = _ADDRESS.fullmatch(value)
    return found is not None and int(found[2]) <= HIGHEST_PORT


def _address(value: str) -> str:
    if value and not _is_address(value):
        raise ValueError("must be host:port, as in 127.0.0.1:50051")
    return value


def _target(value: str) -> str:
    if not _is_address(value) and not _TARGET.fullmatch(value):
        raise ValueError("must be host:port, or another gRPC target such as dns:///bookings:50052")
    return value


def _database_url(value: str) -> str:
    """Refuses URLs that libpq would quote in its error, password included."""
    try:
        parts = conninfo_to_dict(value)
    except psycopg.Error:
        parts = {"port": "none"}
    ports = str(parts.get("port") or "").split(",")
    places = f"{parts.get('host')} {parts.get('dbname')}"
    if not all(port.isdigit() or not port for port in ports) or "@" in places:
        raise ValueError(
            "must be postgresql://user:password@host:port/database, "
            "with special characters of the password percent-encoded (@ is %40)"
        )
    return value


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
"""Name of a level, in either case."""

Address = Annotated[str, AfterValidator(_address)]
"""Where to listen: host:port, or nothing."""

Target = Annotated[str, AfterValidator(_target)]
"""Where gRPC finds a service."""

DatabaseUrl = Annotated[str, Field(repr=False), AfterValidator(_database_url)]
"""Connection string of PostgreSQL, a secret."""

TracesUrl = Annotated[str, Field(pattern=r"^(https?://[^\s/@]+)?$")]
"""Where a collector of traces listens: http or https, host and port; or nothing."""
