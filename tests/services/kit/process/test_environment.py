"""Settings that cannot be used are refused in a line each, by every process."""

import os
import subprocess
import sys

import pytest

from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process.environment import LONGEST_VALUE, SettingsError, mistakes
from services.kit.process.setting_names import names_of
from services.kit.process.settings import ProcessSettings

SECONDS = 120
PROCESSES = (GatewaySettings, AccountsSettings, BookingsSettings, EventsSettings)
DSNS = {f"{name}_DATABASE_URL": "dbname=x" for name in ("ACCOUNTS", "BOOKINGS", "EVENTS")}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the settings of the developer's shell, and sets the databases."""
    for settings in PROCESSES:
        for name in names_of(settings):
            monkeypatch.delenv(name, raising=False)
    for name, dsn in DSNS.items():
        monkeypatch.setenv(name, dsn)


def refusal(settings: type[ProcessSettings]) -> str:
    """Returns the error of the settings."""
    with pytest.raises(SettingsError) as caught:
        settings.load()
    return str(caught.value)


@pytest.mark.parametrize("settings", PROCESSES)
def test_defaults_are_fine(settings: type[ProcessSettings]) -> None:
    """A check could refuse a default, so that no process starts."""
    settings.load()


@pytest.mark.parametrize(
    ("settings", "name", "value", "allowed"),
    [
        (BookingsSettings, "BOXOFFICE_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        (BookingsSettings, "BOXOFFICE_OPEN_ACCESS", "maybe", "must be true or false"),
        (BookingsSettings, "BOXOFFICE_ENV", "prod", "must be 'development' or 'production'"),
        (BookingsSettings, "BOXOFFICE_LOG_SAMPLE", "2", "must be less than or equal to 1"),
        (BookingsSettings, "BOXOFFICE_FAILPOINTS", "x=die", "must be name=kill@hit"),
        (BookingsSettings, "BOXOFFICE_FAILPOINTS", "x=kill@y", "must be name=kill@hit"),
        (BookingsSettings, "BOOKINGS_OFFER_SECONDS", "-1", "must be greater than or equal to 1"),
        (BookingsSettings, "BOOKINGS_OFFER_SECONDS", "soon", "must be a whole number"),
        (BookingsSettings, "BOOKINGS_RECONCILE_SECONDS", "inf", "must be a finite number"),
        (BookingsSettings, "BOOKINGS_LISTEN", "50052", "must be host:port"),
        (BookingsSettings, "BOOKINGS_LISTEN", "127.0.0.1:70000", "must be host:port"),
        (BookingsSettings, "BOOKINGS_METRICS_LISTEN", "localhost:", "must be host:port"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "http://events", "must be host:port, or"),
        (AccountsSettings, "ACCOUNTS_MAIL_FROM", "Boxoffice", "must be an address"),
        (AccountsSettings, "ACCOUNTS_MAIL_FROM", "a@b.example, c@d.example", "must be an address"),
        (AccountsSettings, "ACCOUNTS_ORGANIZER_SIGN_UP", "no", "must be 'open', 'approval' or"),
        (GatewaySettings, "PORT", "http", "must be a whole number"),
        (GatewaySettings, "EXTRA_PORTS", "3001, 99999", "must be less than or equal to 65535"),
        (GatewaySettings, "GATEWAY_CORS_ORIGINS", "shop", "must be origins like https://"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS", "off1", "must be true or false"),
        (GatewaySettings, "GATEWAY_TRUSTED_PROXIES", "10.0.0.0/99", "must be networks like"),
        (GatewaySettings, "GATEWAY_PROXY_HEADER", "via", "must be 'x-forwarded-for' or"),
        (GatewaySettings, "GATEWAY_DEADLINE_SECONDS", "nan", "must be a finite number"),
    ],
)
def test_a_bad_value_is_shown_with_its_variable_and_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch,
    settings: type[ProcessSettings],
    name: str,
    value: str,
    allowed: str,
) -> None:
    """The operator would have to guess which setting is wrong, or what is allowed."""
    monkeypatch.setenv(name, value)
    line = refusal(settings)
    assert line.startswith(f"{name}={value} ")
    assert allowed in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (EventsSettings, "EVENTS_DATABASE_URL", "mysql://u:canary@host/db"),
        (EventsSettings, "EVENTS_DATABASE_URL", "postgresql://u:x@canary@host/db"),
        (EventsSettings, "EVENTS_DATABASE_URL", "postgresql://u:canary/x@host/db"),
        (EventsSettings, "EVENTS_DATABASE_URL", "postgresql://u:1/canary@host/db"),
        (EventsSettings, "EVENTS_DATABASE_URL", "postgresql://u:canary%zz@host/db"),
        (EventsSettings, "EVENTS_DATABASE_URL", "host=h password=canary more"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "http://u:canary@host"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "smtp://u:canary/x@host"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "smtp://u:canary@"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "http://u:canary@host"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "redis://u:canary/x@host"),
    ],
)
def test_a_secret_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings], name: str, value: str
) -> None:
    """A secret could end up in logs, which many people can read."""
    monkeypatch.setenv(name, value)
    line = refusal(settings)
    assert line.startswith(f"{name} must be ")
    assert "canary" not in line


@pytest.mark.parametrize("settings", PROCESSES)
def test_no_settings_show_a_secret_when_printed(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings]
) -> None:
    """A settings object in a traceback or a log line could show its secrets."""
    secrets = {
        "BOXOFFICE_SERVICE_KEY": "canary",
        "ACCOUNTS_CODE_PEPPER": "canary",
        "ACCOUNTS_SMTP_URL": "smtp://u:canary@host",
        "GATEWAY_RATE_LIMITS_URL": "redis://u:canary@host",
        **dict.fromkeys(DSNS, "postgresql://u:canary@host/db"),
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    assert "canary" not in repr(settings.load())


@pytest.mark.parametrize("settings", [AccountsSettings, BookingsSettings, EventsSettings])
def test_a_missing_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings]
) -> None:
    """A service could start without a database, or with an empty URL."""
    name = settings.model_config["env_prefix"] + "DATABASE_URL"
    monkeypatch.setenv(name, "")
    assert refusal(settings) == f"{name} must be set"


@pytest.mark.parametrize(
    ("settings", "name", "nearest"),
    [
        (BookingsSettings, "BOXOFFICE_OPENACCESS", "BOXOFFICE_OPEN_ACCESS"),
        (BookingsSettings, "boxoffice_openaccess", "BOXOFFICE_OPEN_ACCESS"),
        (GatewaySettings, "BOXOFFICE_OPENACCESS", "BOXOFFICE_OPEN_ACCESS"),
        (GatewaySettings, "GATEWAY_RATE_LIMIT", "GATEWAY_RATE_LIMITS"),
        (AccountsSettings, "ACCOUNTS_SMTPURL", "ACCOUNTS_SMTP_URL"),
    ],
)
def test_a_misspelt_name_is_refused_with_a_suggestion(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings], name: str, nearest: str
) -> None:
    """A protection could stay off although the operator has set it."""
    monkeypatch.setenv(name, "false")
    assert refusal(settings) == f"{name} is no setting; did you mean {nearest}?"


def test_a_setting_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared setting with the prefix of one service could be ignored without an error."""
    monkeypatch.setenv("BOOKINGS_OPEN_ACCESS", "true")
    assert refusal(BookingsSettings).startswith("BOOKINGS_OPEN_ACCESS is no setting")


@pytest.mark.parametrize("settings", PROCESSES)
def test_names_of_the_other_processes_and_of_kubernetes_are_fine(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings]
) -> None:
    """Processes that share an environment, or run in Kubernetes, could fail to start."""
    others = dict.fromkeys(("BOXOFFICE_RELOAD", "BOXOFFICE_DATA_DIRECTORY"), "x")
    for prefix in ("EVENTS", "BOOKINGS", "ACCOUNTS"):
        others |= {f"{prefix}_PORT": "50051", f"{prefix}_DATABASE_PASSWORD": "secret"}
    for prefix in ("EVENTS", "BOOKINGS", "ACCOUNTS", "GATEWAY", "BOXOFFICE"):
        others |= {
            f"{prefix}_SERVICE_HOST": "10.0.0.1",
            f"{prefix}_SERVICE_PORT_GRPC": "50051",
            f"{prefix}_PORT_50051_TCP_ADDR": "10.0.0.1",
        }
    for name, value in (others | {"GATEWAY_PORT": "tcp://10.0.0.1:3000"}).items():
        monkeypatch.setenv(name, value)
    settings.load()


def test_every_mistake_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator could need a restart to see each further mistake."""
    monkeypatch.setenv("BOXOFFICE_LOG_LEVEL", "LOUD")
    monkeypatch.setenv("BOOKINGS_POOL_SIZE", "1")
    monkeypatch.setenv("BOOKINGS_POOLSIZE", "9")
    names = [line.split()[0] for line in refusal(BookingsSettings).splitlines()]
    assert names == ["BOXOFFICE_LOG_LEVEL=LOUD", "BOOKINGS_POOL_SIZE=1", "BOOKINGS_POOLSIZE"]


def test_a_value_of_many_lines_is_shown_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pasted certificate could fill the screen, and hide the name of the setting."""
    monkeypatch.setenv("BOXOFFICE_LOG_LEVEL", "a\n" * 1000)
    [line] = mistakes(EventsSettings, os.environ)
    assert "\n" not in line
    assert len(line) < LONGEST_VALUE + 100


@pytest.mark.parametrize(
    ("module", "variables", "said"),
    [
        (
            "services.events",
            DSNS | {"BOXOFFICE_LOG_LEVEL": "LOUD"},
            "Boxoffice events: BOXOFFICE_LOG_LEVEL=LOUD must be",
        ),
        (
            "gateway",
            {"GATEWAY_RATE_LIMITS": "off1"},
            "Boxoffice gateway: GATEWAY_RATE_LIMITS=off1 must be",
        ),
        (
            "services.migrate",
            dict.fromkeys(("ACCOUNTS_DATABASE_PASSWORD", "EVENTS_DATABASE_PASSWORD"), "canary")
            | {"BOOKINGS_DATABASE_PASSWORD": "canary", "BOXOFFICE_DATABASE_URL": "canary"},
            "Boxoffice migrate: BOXOFFICE_DATABASE_URL must be",
        ),
        (
            "deploy.local",
            {"BOOKINGS_OFFER_SECONDS": "-1"},
            "Boxoffice: BOOKINGS_OFFER_SECONDS=-1 must be",
        ),
    ],
)
def test_a_process_ends_with_the_line_alone(
    module: str, variables: dict[str, str], said: str
) -> None:
    """A traceback could hide the mistake, or show a secret."""
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    [line] = ended.stderr.splitlines()
    assert line.startswith(said)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "canary" not in line
