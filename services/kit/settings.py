"""The settings that every process of Boxoffice has, read from the environment."""

from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SHORTEST_SECRET = 32
"""Characters that a secret has in production, at least."""

MODEL_CONFIG = SettingsConfigDict(
    frozen=True,
    extra="ignore",
    populate_by_name=True,
    # What is wrong with a secret is said, the secret is not.
    hide_input_in_errors=True,
)


class Settings(BaseSettings):
    """Settings of one process."""

    model_config = MODEL_CONFIG

    open_access: bool = Field(default=False, validation_alias="BOXOFFICE_OPEN_ACCESS")
    """Whether callers without a token may act for anybody."""

    service_key: str = Field(default="", validation_alias="BOXOFFICE_SERVICE_KEY")
    """Secret that the services know each other by; empty admits none."""

    reflection: bool = Field(default=False, validation_alias="BOXOFFICE_REFLECTION")
    """Whether grpcurl may ask what there is to call."""

    environment: str = Field(default="development", validation_alias="BOXOFFICE_ENV")
    """Where this runs; `production` forbids what only tests may do."""

    failpoints: str = Field(default="", validation_alias="BOXOFFICE_FAILPOINTS")
    """Places to die at, for tests; see services/kit/failpoints.py."""

    log_level: str = Field(default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL")
    """Lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""

    log_sample: float = Field(default=0.01, ge=0, le=1, validation_alias="BOXOFFICE_LOG_SAMPLE")
    """Share of the answered requests that are logged; the same ones in every process."""

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        """Production starts with the secrets of production, or not at all."""
        if self.environment == "production" and len(self.service_key) < SHORTEST_SECRET:
            wanted = f"{SHORTEST_SECRET} characters or more in production"
            raise ValueError(f"BOXOFFICE_SERVICE_KEY must have {wanted}")
        return self


class ServiceSettings(Settings):
    """Settings of a service, which adds its own with its prefix (`BOOKINGS_`)."""

    database_url: str
    """Connection string of the service's own role."""

    listen: str
    """Where to serve gRPC, as host:port."""

    pool_size: int = Field(default=8, ge=2)
    """Connections to PostgreSQL at most."""

    metrics_listen: str = ""
    """Where to serve Prometheus metrics, as host:port; nowhere when empty."""
