"""The settings of the development run, from the environment or the file .env."""

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from deploy.local import env_file
from deploy.local.postgres.binaries import system_binaries
from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.accounts.settings import SmtpUrl
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process.environment import SettingsError, mistakes, unknown_names
from services.kit.process.setting_names import names_of
from services.kit.process.setting_types import DatabaseUrl, LogLevel
from services.kit.process.sources import EnvironmentSettings
from services.migrate import MigrationSettings

PROJECT = Path(__file__).parents[2]
"""The checkout, or the folder of packages that Boxoffice is installed in."""
ENV_FILE = PROJECT / ".env"
ROOTS_DIRECTORY = Path("/var/lib/boxoffice")
PREFIXES = ("BOXOFFICE_", "GATEWAY_", "EVENTS_", "BOOKINGS_", "ACCOUNTS_", "MAILBOX_")
PROCESSES = (GatewaySettings, EventsSettings, BookingsSettings, AccountsSettings)

Port = Annotated[int, Field(ge=1, le=65_535)]


def installed_directory() -> Path:
    """Returns the place for data of an installation: the machine's for root, else the user's."""
    if os.geteuid() == 0:
        return ROOTS_DIRECTORY
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "boxoffice"


def _default_directory() -> Path:
    is_checkout = (PROJECT / "Makefile").exists()
    return PROJECT / ".data" if is_checkout else installed_directory()


def _split(value: object) -> object:
    if isinstance(value, str):
        return [port for port in value.replace(",", " ").split() if port]
    return value


class RunSettings(EnvironmentSettings):
    """The settings of the development run; .env.example explains each."""

    host: str = Field(default="127.0.0.1", validation_alias="GATEWAY_HOST")
    """Address that the gateway listens on. `127.0.0.1` and `localhost` include `::1` where there is
    one; `0.0.0.0` is every network of IPv4."""

    port: Port = Field(default=3000, validation_alias="PORT")
    """Port of the gateway."""

    extra_ports: Annotated[tuple[Port, ...], NoDecode, BeforeValidator(_split)] = Field(
        default=(), validation_alias="EXTRA_PORTS"
    )
    """Further ports of the gateway, separated by commas."""

    certificate: Path | None = Field(default=None, validation_alias="GATEWAY_TLS_CERT")
    """File with the certificate of the gateway, which serves HTTPS with one."""

    events_port: Port = Field(default=50_051, validation_alias="EVENTS_PORT")
    """gRPC port of events, on this machine only."""

    bookings_port: Port = Field(default=50_052, validation_alias="BOOKINGS_PORT")
    """gRPC port of bookings, on this machine only."""

    accounts_port: Port = Field(default=50_053, validation_alias="ACCOUNTS_PORT")
    """gRPC port of accounts, on this machine only."""

    mailbox_port: Port = Field(default=8025, validation_alias="MAILBOX_PORT")
    """Port of the page, on this machine only, with the mail that the run sends to nobody."""

    smtp_url: SmtpUrl = Field(default="", validation_alias="ACCOUNTS_SMTP_URL")
    """Mail server that takes the place of that page."""

    database_url: DatabaseUrl = Field(
        default="", validation_alias=AliasChoices("BOXOFFICE_DATABASE_URL", "DATABASE_URL")
    )
    """A PostgreSQL of your own, 17 or later, in place of the embedded one; its user must be able to
    create roles."""

    database_pooled: bool = Field(default=False, validation_alias="BOXOFFICE_DATABASE_POOLED")
    """Whether the connection string of each service leads to a pooler; that of the owner must
    not."""

    postgres_bin: Annotated[Path, AfterValidator(system_binaries)] | None = Field(
        default=None, validation_alias="BOXOFFICE_POSTGRES_BIN"
    )
    """Folder with the programs of a PostgreSQL of yours, 17 or later, for `make run` and
    `make test`."""

    data_directory: Path = Field(
        default=_default_directory(), validation_alias="BOXOFFICE_DATA_DIRECTORY"
    )
    """Where the embedded PostgreSQL and the secrets of a run are kept. The default of
    `boxoffice up` is `/var/lib/boxoffice` for root, `~/.local/share/boxoffice` for others."""

    open_access: bool = Field(default=True, validation_alias="BOXOFFICE_OPEN_ACCESS")
    """Whether callers without a token may act for anybody."""

    reload: bool = Field(default=False, validation_alias="BOXOFFICE_RELOAD")
    """Restart when a `.py` or `.sql` file changes."""

    log_level: LogLevel = Field(default="INFO", validation_alias="BOXOFFICE_LOG_LEVEL")
    """Lowest level that is logged: DEBUG, INFO, WARNING or ERROR."""

    @classmethod
    def load(cls) -> Self:
        """Reads them, .env first into the environment so that every process sees it.

        Raises SettingsError for settings that are invalid for the run or for one of its processes.
        """
        known = known_names()
        env_file.load(ENV_FILE, known)
        found = unknown_names(os.environ, prefixes=PREFIXES, known=known)
        found += mistakes(cls, os.environ)
        for settings in PROCESSES:
            found += mistakes(settings, os.environ, need_all=False)
        if found:
            raise SettingsError("\n".join(dict.fromkeys(found)))
        return cls()

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway for this machine."""
        everywhere = self.host in {"0.0.0.0", "::"}
        host = "127.0.0.1" if everywhere else self.host
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def mailbox_url(self) -> str:
        """The URL of the mailbox; empty if mail is sent to a server instead."""
        return "" if self.smtp_url else f"http://localhost:{self.mailbox_port}"

    @property
    def page_url(self) -> str:
        """The URL of the gateway for a browser on this machine."""
        is_here = self.host in {"127.0.0.1", "0.0.0.0", "::1", "::", "localhost"}
        return f"{self._scheme}://localhost:{self.port}/" if is_here else f"{self.gateway_url}/"

    @property
    def _scheme(self) -> str:
        return "https" if self.certificate else "http"


def known_names() -> frozenset[str]:
    """Returns the names of all settings of Boxoffice."""
    everything: tuple[type[BaseSettings], ...] = (RunSettings, MigrationSettings, *PROCESSES)
    return frozenset(name for settings in everything for name in names_of(settings))
