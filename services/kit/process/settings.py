"""The settings of every process, read from the environment."""

import os
from typing import ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.kit.process import failpoints
from services.kit.process.environment import SettingsError, mistakes, names_of, unknown_names
from services.kit.process.setting_types import Address, DatabaseUrl, LogLevel

SHORTEST_SECRET = 32
"""Least number of characters of a secret in production."""

MODEL_CONFIG = SettingsConfigDict(
    frozen=True,
    extra="ignore",
    env_ignore_empty=True,
    allow_inf_nan=False,
    # Errors must not show secrets.
    hide_input_in_errors=True,
    # The page of settings shows them.
    use_attribute_docstrings=True,
)


PREFIX = "BOXOFFICE_"
OF_COMMANDS = (
    "BOXOFFICE_DATABASE_URL",
    "BOXOFFICE_DATA_DIRECTORY",
    "BOXOFFICE_POSTGRES_BIN",
    "BOXOFFICE_RELOAD",
)
"""Settings of commands that migrate or start processes; processes accept and ignore them."""


class ProcessSettings(BaseSettings):
    """Settings that are read from the environment when a process starts."""

    model_config = MODEL_CONFIG

    of_commands: ClassVar[tuple[str, ...]] = ()
    """Settings of commands with the prefix of this process, without it."""

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

    reflection: bool = Field(default=False, validation_alias="BOXOFFICE_REFLECTION")
    """Whether grpcurl may ask what there is to call."""

    environment: Literal["development", "production"] = Field(
        default="development", validation_alias="BOXOFFICE_ENV"
    )
    """Where this runs; `production` refuses failpoints, weak secrets and generated signing keys."""

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
        if self.environment == "production" and len(self.service_key) < SHORTEST_SECRET:
            wanted = f"{SHORTEST_SECRET} characters or more in production"
            raise ValueError(f"BOXOFFICE_SERVICE_KEY must have {wanted}")
        return self


class ServiceSettings(Settings):
    """Settings of a service, which adds its own with its prefix (`BOOKINGS_`)."""

    of_commands = ("PORT", "DATABASE_PASSWORD")

    database_url: DatabaseUrl
    """Connection string of the service's own role."""

    listen: Address
    """Where to serve gRPC, as host:port."""

    pool_size: int = Field(default=8, ge=2)
    """Connections to PostgreSQL at most."""

    metrics_listen: Address = ""
    """Where to serve Prometheus metrics, as host:port; nowhere when empty."""
