"""The settings of this service, read from the environment."""

from pydantic_settings import SettingsConfigDict

from services.kit.process import settings
from services.kit.process.setting_types import Address, Target


class Settings(settings.ServiceSettings):
    """Settings of events, such as `EVENTS_DATABASE_URL`, and those of every service."""

    model_config = SettingsConfigDict(env_prefix="EVENTS_")

    listen: Address = "127.0.0.1:50051"
    """Address to serve gRPC on."""

    bookings_target: Target = "127.0.0.1:50052"
    """Address of bookings."""

    accounts_target: Target = "127.0.0.1:50053"
    """Address of accounts."""
