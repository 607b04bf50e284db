"""The settings of the gateway, read from the environment."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork
from pydantic_settings import NoDecode, SettingsConfigDict

from gateway.http.cors import origin
from services.kit.process.setting_types import LogLevel, Target
from services.kit.process.settings import MODEL_CONFIG, ProcessSettings


def _split(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


MailboxUrl = Annotated[str, Field(pattern=r"^(https?://.+)?$")]


def _redis_url(value: str) -> str:
    """Refuses what is no URL of a store, without its password in the message."""
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
Origin = Annotated[str, AfterValidator(origin)]


class Settings(ProcessSettings):
    """Settings of the gateway: `GATEWAY_…`, besides `PORT` and `EXTRA_PORTS`."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", **MODEL_CONFIG)

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
    """Where accounts is, as a gRPC target."""

    events_target: Target = "127.0.0.1:50051"
    """Where events is, as a gRPC target."""

    bookings_target: Target = "127.0.0.1:50052"
    """Where bookings is, as a gRPC target."""

    rate_limits: bool = True
    """Whether too many requests are refused."""

    rate_limits_url: RedisUrl = ""
    """Redis or Valkey in which all gateways count together; without one each counts by itself."""

    caller_requests_per_minute: int = Field(default=600, ge=1)
    """Requests of one account."""

    address_requests_per_minute: int = Field(default=6000, ge=1)
    """Requests from one address, whoever makes them."""

    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)] = ()
    """Networks whose word about the addresses of clients is believed, separated by commas."""

    proxy_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    """Header that those proxies write, or add to."""

    cors_origins: Annotated[tuple[Origin, ...], NoDecode, BeforeValidator(_split)] = ()
    """Origins whose pages may call from a browser, separated by commas; `http://localhost:*` is
    one at every port, `*` is any."""

    open_access: bool = Field(default=False, validation_alias="BOXOFFICE_OPEN_ACCESS")
    """Whether the services admit callers without a token; the others are told before anything."""

    mailbox_url: MailboxUrl = ""
    """Page of the development run that shows mail, for a link to it at `/`."""

    deadline_seconds: float = Field(default=5.0, gt=0)
    """How long a request may wait for its service, attempts and pauses together."""

    batch_size: int = Field(default=128, ge=1, le=256)
    """Requests that may share a batch; 1 sends each by itself."""

    max_waiting: int = Field(default=2048, ge=1)
    """Writes, or reads, of a service that may wait for a batch; more are refused at once."""

    max_connections: int = Field(default=10_000, ge=1)
    """Connections that are open at once; for a further one the longest idle one is closed."""

    address_connections: int | None = Field(default=None, ge=1)
    """Of those, how many one address may have that is no trusted proxy; a quarter if not set."""

    max_requests: int = Field(default=900, ge=1)
    """Requests that are answered at once; further ones are refused."""

    drain_seconds: float = Field(default=0.5, ge=0)
    """How long to go on accepting after SIGTERM, so that balancers see it."""

    grace_seconds: float = Field(default=10.0, gt=0)
    """How long requests in flight may take after that."""

    slow_seconds: float = Field(default=1.0, gt=0)
    """Requests that take this long are logged."""

    log_requests: bool = False
    """Whether each request is logged, with its path: for development, as paths name people."""

    log_level: LogLevel = Field(default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL")
    """Lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""

    log_sample: float = Field(default=0.01, ge=0, le=1, validation_alias="BOXOFFICE_LOG_SAMPLE")
    """Share of the answered requests that are logged; the same ones in every process."""
