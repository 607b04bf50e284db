"""The settings of the development run, from the environment or the file .env."""

from pathlib import Path
from typing import Annotated, Self

import dotenv
from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from deploy.local.errors import SettingsError

PROJECT = Path(__file__).parents[2]

Port = Annotated[int, Field(ge=1, le=65_535)]


def _split(value: object) -> object:
    if isinstance(value, str):
        return [port for port in value.replace(",", " ").split() if port]
    return value


class RunSettings(BaseSettings):
    """What can be chosen about the development run; .env.example explains each."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field(default="127.0.0.1", validation_alias="GATEWAY_HOST")
    port: Port = Field(default=3000, validation_alias="PORT")
    extra_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), validation_alias="EXTRA_PORTS"
    )
    events_port: Port = Field(default=50_051, validation_alias="EVENTS_PORT")
    bookings_port: Port = Field(default=50_052, validation_alias="BOOKINGS_PORT")
    accounts_port: Port = Field(default=50_053, validation_alias="ACCOUNTS_PORT")
    mailbox_port: Port = Field(default=8025, validation_alias="MAILBOX_PORT")
    smtp_url: str = Field(default="", validation_alias="ACCOUNTS_SMTP_URL", repr=False)
    database_url: str | None = Field(
        default=None, validation_alias=AliasChoices("BOXOFFICE_DATABASE_URL", "DATABASE_URL")
    )
    data_directory: Path = Field(
        default=PROJECT / ".data", validation_alias="BOXOFFICE_DATA_DIRECTORY"
    )
    open_access: bool = Field(default=True, validation_alias="BOXOFFICE_OPEN_ACCESS")
    reload: bool = Field(default=False, validation_alias="BOXOFFICE_RELOAD")
    log_level: Annotated[str, AfterValidator(str.upper)] = Field(
        default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL"
    )

    @classmethod
    def load(cls) -> Self:
        """Reads them, .env first into the environment so that every process sees it.

        Raises SettingsError.
        """
        dotenv.load_dotenv(PROJECT / ".env")
        try:
            return cls()
        except ValidationError as exc:
            problems = [f"{error['loc'][0]}: {error['msg']}" for error in exc.errors()]
            raise SettingsError("; ".join(problems)) from exc

    @property
    def gateway_url(self) -> str:
        """Where the gateway is reached from this machine."""
        everywhere = self.host in {"0.0.0.0", "::"}
        host = "127.0.0.1" if everywhere else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def mailbox_url(self) -> str:
        """Where mail is shown on this machine; empty where it is sent instead."""
        return "" if self.smtp_url else f"http://localhost:{self.mailbox_port}"
