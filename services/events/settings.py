"""The settings of this service, read from the environment."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.kit import settings


class Settings(settings.Settings):
    """`EVENTS_DATABASE_URL` and the like, besides those that every process has."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_", **settings.MODEL_CONFIG)

    database_url: str
    """Connection string of this service's own role."""

    listen: str = "127.0.0.1:50051"
    """Where to serve gRPC, as host:port."""

    bookings_target: str = "127.0.0.1:50052"
    """Where bookings is, as a gRPC target."""

    accounts_target: str = "127.0.0.1:50053"
    """Where accounts is, as a gRPC target."""

    pool_size: int = Field(default=8, ge=2)
    """Connections to PostgreSQL at most."""

    metrics_listen: str = ""
    """Where to serve Prometheus metrics, as host:port; nowhere when empty."""
