"""The address of the system under test."""

import ipaddress
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway, or a proxy before it, listens. `prefix` stands before every path."""

    host: str
    port: int
    is_encrypted: bool = False
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> "Target":
        """Parses `http(s)://host[:port][/prefix]`. Raises click.BadParameter."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise click.BadParameter(f"{url} is no URL: {error}") from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise click.BadParameter(f"{url} must be like http://127.0.0.1:3000")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise click.BadParameter(f"{url} may have a path, but nothing after it and no password")
        is_encrypted = parts.scheme == "https"
        return cls(
            parts.hostname, port or PORTS[parts.scheme], is_encrypted, parts.path.rstrip("/")
        )

    @property
    def url(self) -> str:
        """The URL, without a slash at its end."""
        return f"{'https' if self.is_encrypted else 'http'}://{self.authority}{self.prefix}"

    @property
    def authority(self) -> str:
        """Host and port, as in the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the address cannot be another machine's."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def tls(self) -> ssl.SSLContext | None:
        """Returns what verifies the server's certificate; None without encryption."""
        return ssl.create_default_context() if self.is_encrypted else None
