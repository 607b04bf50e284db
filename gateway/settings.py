"""The settings of the gateway, read from the environment."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork
from pydantic_settings import NoDecode, SettingsConfigDict

from gateway.http.middleware.cors import parse_origin
from services.kit.process import cleartext
from services.kit.process.setting_types import LogLevel, Target
from services.kit.process.settings import ProcessSettings
from services.kit.tls.files import TlsFiles


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


MailboxUrl = Annotated[str, Field(pattern=r"^(https?://.+)?$")]


def _redis_url(value: str) -> str:
    """Validates the URL of a store; the message does not repeat it, as it may have a password."""
    try:
        parts = urlsplit(value)
        has_port = parts.port is None or bool(parts.hostname)
    except ValueError:
        has_port = False
    if value and not (has_port and re.fullmatch(r"(redis|valkey)s?://.+", value)):
        raise ValueError("must be redis://user:password@host:port/0, or rediss, valkey, valkeys")
    return value


RedisUrl = Annotated[str, Field(repr=False), AfterValidator(_redis_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Origin = Annotated[str, AfterValidator(parse_origin)]


class Settings(ProcessSettings):
    """Settings of the gateway: `GATEWAY_…`, besides `PORT` and `EXTRA_PORTS`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    host: str = "127.0.0.1"
    """Address to listen on; `127.0.0.1` and `localhost` include `::1`."""

    port: Port = Field(default=3000, validation_alias="PORT")
    """Port to listen on; 0 for any that is free."""

    extra_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), validation_alias="EXTRA_PORTS"
    )
    """Further ports to listen on, separated by commas."""

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port to listen on, once."""
        return tuple(dict.fromkeys((self.port, *self.extra_ports)))

    accounts_target: Target = "127.0.0.1:50053"
    """Address of accounts."""

    events_target: Target = "127.0.0.1:50051"
    """Address of events."""

    bookings_target: Target = "127.0.0.1:50052"
    """Address of bookings."""

    tls_cert: Path | None = None
    """File with the certificate that clients of the gateway see, and those between it and its CA,
    in PEM. Without one the gateway speaks HTTP, and a proxy has to encrypt it. All files of TLS are
    read again when they change."""

    tls_key: Path | None = None
    """File with the key of that certificate, in PEM."""

    tls_ca: Path | None = None
    """File with the certificates of the CA that the services are checked by, in PEM. With it the
    gateway calls them with TLS."""

    tls_client_cert: Path | None = None
    """File with the certificate that the gateway shows to services that have a CA, in PEM; that of
    `GATEWAY_TLS_CERT` if not set."""

    tls_client_key: Path | None = None
    """File with the key of that certificate, in PEM."""

    hsts_seconds: int = Field(default=31_536_000, ge=0)
    """How long browsers use HTTPS only once they have seen the gateway's certificate; 0 lets them
    use HTTP, too."""

    rate_limits: bool = True
    """Whether clients that ask too often are refused; `off` refuses nobody."""

    rate_limits_url: RedisUrl = ""
    """Redis or Valkey in which all gateways count together; without one each counts by itself."""

    caller_requests_per_minute: int = Field(default=600, ge=1)
    """Most requests of one account in a minute."""

    address_requests_per_minute: int = Field(default=6000, ge=1)
    """Most requests from one address in a minute, whoever makes them."""

    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)] = ()
    """Networks of the proxies that the gateway trusts about the addresses of clients."""

    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """Header in which the trusted proxies name the client."""

    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = ()
    """Origins whose pages may call from a browser. `http://localhost:*` means every port, `*` means
    any origin."""

    open_access: bool = Field(default=False, validation_alias="BOXOFFICE_OPEN_ACCESS")
    """Whether callers without a token may act for anybody; must be the same in every process."""

    mailbox_url: MailboxUrl = ""
    """Page that shows the mail of a development run; the page at `/` links to it."""

    payment_providers: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), validation_alias="BOOKINGS_PAYMENT_PROVIDERS"
    )
    """As in bookings: the pages offer the test cards of the sandbox only if it takes payments."""

    deadline_seconds: float = Field(default=5.0, gt=0)
    """How long a request may wait for its service, all attempts and pauses included."""

    batch_size: int = Field(default=128, ge=1, le=256)
    """Requests that may share a batch; 1 sends each by itself."""

    max_waiting: int = Field(default=2048, ge=1)
    """Most writes, and most reads, of a service that may wait; further ones are refused."""

    max_connections: int = Field(default=10_000, ge=1)
    """Most connections at once; a further one takes the place of the one idle for longest."""

    address_connections: int | None = Field(default=None, ge=1)
    """Most connections of one address that is no trusted proxy; a quarter of all if not set."""

    max_requests: int = Field(default=900, ge=1)
    """Most requests at once; further ones are refused."""

    max_streams: int = Field(default=10_000, ge=0)
    """Most responses that are streamed at once; they do not count as connections."""

    address_streams: int = Field(default=50, ge=1)
    """Most streams of one address; clients behind a trusted proxy have their own addresses."""

    drain_seconds: float = Field(default=0.5, ge=0)
    """How long to go on accepting connections after SIGTERM, so that balancers notice."""

    grace_seconds: float = Field(default=10.0, gt=0)
    """How long requests in flight may take after that, before they are cut off."""

    slow_seconds: float = Field(default=1.0, gt=0)
    """Requests that take this long are always logged."""

    log_requests: bool = False
    """Whether each request is logged with its path. Paths may name people and be secrets."""

    log_level: LogLevel = Field(default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL")
    """Lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""

    log_sample: float = Field(default=0.01, ge=0, le=1, validation_alias="BOXOFFICE_LOG_SAMPLE")
    """Share of the answered requests that are logged; every process logs the same ones."""

    @property
    def http_tls(self) -> TlsFiles | None:
        """The files for serving HTTPS; None for HTTP."""
        return None if self.tls_cert is None else TlsFiles(self.tls_cert, self.tls_key)

    @property
    def channel_tls(self) -> TlsFiles | None:
        """See TransportSettings."""
        if self.tls_ca is None:
            return None
        if self.tls_client_cert is None:
            return TlsFiles(self.tls_cert, self.tls_key, self.tls_ca)
        return TlsFiles(self.tls_client_cert, self.tls_client_key, self.tls_ca)

    def tls_files(self) -> Sequence[tuple[str, TlsFiles]]:
        """See TransportSettings."""
        return [
            ("tls_cert", TlsFiles(self.tls_cert, self.tls_key)),
            ("tls_client_cert", TlsFiles(self.tls_client_cert, self.tls_client_key)),
            ("tls_ca", TlsFiles(ca=self.tls_ca)),
        ]

    def cleartext(self) -> Iterator[str]:
        """See TransportSettings."""
        if self.http_tls is None:
            yield cleartext.of_listening(
                "GATEWAY_HOST", self.host, "GATEWAY_TLS_CERT and GATEWAY_TLS_KEY"
            )
        yield from self.cleartext_targets("GATEWAY_TLS_CA")
        yield cleartext.of_url(
            "GATEWAY_RATE_LIMITS_URL", self.rate_limits_url, "rediss://", "redis", "valkey"
        )
