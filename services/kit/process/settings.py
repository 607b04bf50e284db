"""The settings of every process, read from the environment."""

import os
from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from services.kit.process import cleartext, failpoints
from services.kit.process.environment import SettingsError, mistakes, unknown_names
from services.kit.process.setting_names import FILE, names_of
from services.kit.process.setting_types import Address, DatabaseUrl, LogLevel, TracesUrl
from services.kit.process.transport import TransportSettings
from services.kit.rpc.spans import Spans
from services.kit.tls.files import TlsFiles

SHORTEST_SECRET = 32
"""Least number of characters of a secret in production."""

PREFIX = "BOXOFFICE_"
OF_COMMANDS = (
    "BOXOFFICE_DATABASE_POOLED",
    "BOXOFFICE_DATABASE_URL",
    "BOXOFFICE_DATABASE_URL" + FILE,
    "BOXOFFICE_DATA_DIRECTORY",
    "BOXOFFICE_POSTGRES_BIN",
    "BOXOFFICE_RELOAD",
)
"""Settings of commands that migrate or start processes; processes accept and ignore them."""


class ProcessSettings(TransportSettings):
    """Settings that are read from the environment when a process starts."""

    of_commands: ClassVar[tuple[str, ...]] = ()
    """Settings of commands with the prefix of this process, without it."""

    traces_url: TracesUrl = Field(default="", validation_alias="BOXOFFICE_TRACES_URL")
    """Collector of OpenTelemetry that gets traces, over OTLP with gRPC; no traces when empty. Needs
    the extra `tracing`."""

    traces_share: float = Field(default=0.01, ge=0, le=1, validation_alias="BOXOFFICE_TRACES_SHARE")
    """Share of the requests that are traced, of those whose client has not decided it."""

    def open_spans(self) -> Spans | None:
        """Opens what makes spans; None if there are no traces. Raises SettingsError."""
        if not self.traces_url:
            return None
        try:
            # An extra, and slow to import.
            from services.kit.process.traces import to_collector
        except ImportError as error:
            raise SettingsError("BOXOFFICE_TRACES_URL needs the extra `tracing`") from error
        process = self.model_config["env_prefix"].lower().rstrip("_")
        return to_collector(f"boxoffice-{process}", self.traces_url, share=self.traces_share)

    @classmethod
    def load(cls) -> Self:
        """Reads the settings. Raises SettingsError for bad values and for unknown names."""
        prefix = cls.model_config["env_prefix"]
        commands = {*OF_COMMANDS, *(prefix + name for name in cls.of_commands)}
        found = mistakes(cls, os.environ) + unknown_names(
            os.environ,
            prefixes=(PREFIX, prefix),
            known=names_of(cls) | names_of(Settings) | commands,
        )
        if found:
            raise SettingsError("\n".join(found))
        return cls()


class Settings(ProcessSettings):
    """Settings of one process."""

    open_access: bool = Field(default=False, validation_alias="BOXOFFICE_OPEN_ACCESS")
    """Whether callers without a token may act for anybody."""

    service_key: str = Field(default="", repr=False, validation_alias="BOXOFFICE_SERVICE_KEY")
    """Secret by which the services know each other, of 32 characters or more in production.
    Without it no service is admitted."""

    second_service_key: str = Field(
        default="", repr=False, validation_alias="BOXOFFICE_SECOND_SERVICE_KEY"
    )
    """Another service key that is accepted and not sent, while one replaces the other."""

    reflection: bool = Field(default=False, validation_alias="BOXOFFICE_REFLECTION")
    """Whether grpcurl may ask what there is to call."""

    failpoints: str = Field(default="", validation_alias="BOXOFFICE_FAILPOINTS")
    """Places to die at, for tests; see services/kit/process/failpoints.py."""

    log_level: LogLevel = Field(default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL")
    """Lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""

    log_sample: float = Field(default=0.01, ge=0, le=1, validation_alias="BOXOFFICE_LOG_SAMPLE")
    """Share of the answered requests that are logged; the same ones in every process."""

    @field_validator("failpoints")
    @classmethod
    def _refuse_bad_failpoints(cls, value: str) -> str:
        failpoints.parsed(value)
        return value

    @model_validator(mode="after")
    def _refuse_failpoints(self) -> Self:
        """Refuses failpoints in production."""
        if self.environment == "production" and self.failpoints:
            raise ValueError("BOXOFFICE_FAILPOINTS is for tests, not for production")
        return self

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        """Refuses short secrets in production."""
        second = self.second_service_key
        for name, key in (("", self.service_key), ("SECOND_", second)):
            is_needed = bool(key) or not name
            if self.environment == "production" and is_needed and len(key) < SHORTEST_SECRET:
                wanted = f"{SHORTEST_SECRET} characters or more in production"
                raise ValueError(f"BOXOFFICE_{name}SERVICE_KEY must have {wanted}")
        return self


class ServiceSettings(Settings):
    """Settings of a service, which adds its own with its prefix (`BOOKINGS_`)."""

    of_commands = ("PORT", "DATABASE_PASSWORD", "DATABASE_PASSWORD" + FILE)

    database_url: DatabaseUrl
    """Connection string of the service's own role."""

    database_pooled: bool = Field(default=False, validation_alias="BOXOFFICE_DATABASE_POOLED")
    """Whether connection strings lead to a pooler in transaction mode, such as PgBouncer."""

    listen: Address
    """Where to serve gRPC, as host:port."""

    pool_size: int = Field(default=8, ge=2)
    """Connections to PostgreSQL at most."""

    metrics_listen: Address = ""
    """Where to serve Prometheus metrics, as host:port; nowhere when empty."""

    @property
    def tls(self) -> TlsFiles | None:
        """The files of TLS, for serving and for calling; None if nothing is encrypted."""
        if self.tls_cert is None:
            return None
        return TlsFiles(self.tls_cert, self.tls_key, self.tls_ca)

    @property
    def channel_tls(self) -> TlsFiles | None:
        """See TransportSettings."""
        return self.tls

    def tls_files(self) -> Sequence[tuple[str, TlsFiles]]:
        """See TransportSettings. A CA alone is refused, as nothing would be served with TLS."""
        if self.tls_ca is not None and self.tls_cert is None:
            raise ValueError(f"{self.variable('tls_ca')} needs {self._own_certificate()}")
        return [("tls_cert", TlsFiles(self.tls_cert, self.tls_key, self.tls_ca))]

    def cleartext(self) -> Iterator[str]:
        """See TransportSettings."""
        remedy = self._own_certificate()
        if self.tls is None:
            yield cleartext.of_listening(self.variable("listen"), self.listen, remedy)
        yield from self.cleartext_targets(remedy)
        yield cleartext.of_database(self.variable("database_url"), self.database_url)

    def _own_certificate(self) -> str:
        return f"{self.variable('tls_cert')} and {self.variable('tls_key')}"
