"""What production refuses to send, or to listen for, without encryption."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.settings import Settings as GatewaySettings
from services.accounts.settings import Settings as AccountsSettings
from services.bookings.settings import Settings as BookingsSettings
from services.events.settings import Settings as EventsSettings
from services.kit.process.environment import SettingsError
from services.kit.process.setting_names import names_of
from services.kit.process.settings import ProcessSettings
from services.migrate import MigrationSettings
from tests.certificates import Authority

PROCESSES = (GatewaySettings, AccountsSettings, BookingsSettings, EventsSettings)
PRODUCTION = {
    "BOXOFFICE_ENV": "production",
    "BOXOFFICE_SERVICE_KEY": "k" * 32,
    **{f"{name}_DATABASE_URL": "dbname=x" for name in ("ACCOUNTS", "BOOKINGS", "EVENTS")},
}
REMOTE = "postgresql://u:canary@db.internal/x"


@pytest.fixture(autouse=True)
def _production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets what production needs, on this machine alone."""
    for settings in PROCESSES:
        for name in names_of(settings):
            monkeypatch.delenv(name, raising=False)
    for name in ("PGHOST", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)


def apply(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Sets variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("settings", PROCESSES)
def test_one_machine_needs_no_encryption(settings: type[ProcessSettings]) -> None:
    """A server that runs everything could not start in production."""
    settings.load()


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        (BookingsSettings, "BOOKINGS_LISTEN", "localhost:50052"),
        (BookingsSettings, "BOOKINGS_LISTEN", "[::1]:50052"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "dns:///localhost:50051"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "dns:[::1]:50051"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "unix:/run/events.sock"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "ipv4:127.0.0.1:1,127.0.0.2:2"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "ipv6:[::1]:50051"),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", "postgresql:///x?host=/run/postgresql"),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", "postgresql://u@localhost,127.0.0.1/x"),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", f"{REMOTE}?sslmode=verify-full"),
        (GatewaySettings, "GATEWAY_HOST", "::1"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "redis://127.0.0.1/0"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "rediss://:canary@cache.internal"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "smtp://localhost:25"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "smtp+starttls://mail.internal"),
    ],
)
def test_what_is_encrypted_or_stays_here_is_fine(
    monkeypatch: pytest.MonkeyPatch, settings: type[ProcessSettings], name: str, value: str
) -> None:
    """A deployment without any cleartext between hosts could be refused."""
    monkeypatch.setenv(name, value)
    settings.load()


@pytest.mark.parametrize(
    ("settings", "name", "value", "remedy"),
    [
        (
            BookingsSettings,
            "BOOKINGS_LISTEN",
            "0.0.0.0:50052",
            "BOOKINGS_TLS_CERT and BOOKINGS_TLS_KEY",
        ),
        (BookingsSettings, "BOOKINGS_LISTEN", "[::]:50052", "BOOKINGS_TLS_CERT"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "events:50051", "BOOKINGS_TLS_CERT"),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "dns:///events:50051", "BOOKINGS_TLS_CERT"),
        (
            BookingsSettings,
            "BOOKINGS_EVENTS_TARGET",
            "ipv4:127.0.0.1:1,10.0.0.2:2",
            "BOOKINGS_TLS_",
        ),
        (BookingsSettings, "BOOKINGS_EVENTS_TARGET", "xds:///events", "BOOKINGS_TLS_CERT"),
        (EventsSettings, "EVENTS_BOOKINGS_TARGET", "10.0.0.2:50052", "EVENTS_TLS_CERT"),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", REMOTE, "sslmode=verify-full"),
        (
            BookingsSettings,
            "BOOKINGS_DATABASE_URL",
            f"{REMOTE}?sslmode=require",
            "sslmode=verify-full",
        ),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", "hostaddr=10.0.0.5 host=localhost", "sslmode="),
        (BookingsSettings, "BOOKINGS_DATABASE_URL", "host=localhost,canary.internal", "sslmode="),
        (GatewaySettings, "GATEWAY_HOST", "0.0.0.0", "GATEWAY_TLS_CERT and GATEWAY_TLS_KEY"),
        (GatewaySettings, "GATEWAY_HOST", "::", "GATEWAY_TLS_CERT"),
        (GatewaySettings, "GATEWAY_BOOKINGS_TARGET", "dns:///bookings:50052", "GATEWAY_TLS_CA"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "redis://:canary@cache/0", "rediss://"),
        (GatewaySettings, "GATEWAY_RATE_LIMITS_URL", "valkey://cache.internal", "rediss://"),
        (AccountsSettings, "ACCOUNTS_SMTP_URL", "smtp://u:canary@mail.internal", "smtps://"),
    ],
)
def test_cleartext_to_other_hosts_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    settings: type[ProcessSettings],
    name: str,
    value: str,
    remedy: str,
) -> None:
    """Passwords, tokens and codes could be read by everybody on the way."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    [line] = str(caught.value).splitlines()
    assert line.startswith(name)
    assert remedy in line
    assert "BOXOFFICE_ALLOW_CLEARTEXT=true" in line
    assert "canary" not in line
    for other in ({"BOXOFFICE_ALLOW_CLEARTEXT": "true"}, {"BOXOFFICE_ENV": "development"}):
        with monkeypatch.context() as patch:
            apply(patch, other)
            settings.load()


def test_libpq_reads_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host or the mode could come from where the check does not look."""
    monkeypatch.setenv("PGHOST", "db.internal")
    with pytest.raises(SettingsError, match="sslmode=verify-full"):
        BookingsSettings.load()
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    BookingsSettings.load()


def test_migrations_send_no_password_in_cleartext(monkeypatch: pytest.MonkeyPatch) -> None:
    """The passwords of all services could be read on the way to the database."""
    for name in ("ACCOUNTS", "EVENTS", "BOOKINGS"):
        monkeypatch.setenv(f"{name}_DATABASE_PASSWORD", "canary")
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", REMOTE)
    with pytest.raises(SettingsError, match="BOXOFFICE_DATABASE_URL must have sslmode"):
        MigrationSettings.load()
    monkeypatch.setenv("BOXOFFICE_DATABASE_URL", f"{REMOTE}?sslmode=verify-full")
    MigrationSettings.load()


@pytest.mark.parametrize("settings", [AccountsSettings, BookingsSettings, EventsSettings])
def test_a_certificate_is_enough_for_a_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: type[ProcessSettings]
) -> None:
    """A service with TLS could still be refused."""
    files = Authority(tmp_path).issue("server")
    prefix = settings.model_config["env_prefix"]
    apply(
        monkeypatch,
        {
            f"{prefix}TLS_CERT": str(files.certificate),
            f"{prefix}TLS_KEY": str(files.key),
            f"{prefix}TLS_CA": str(files.ca),
            f"{prefix}LISTEN": "0.0.0.0:50052",
            "BOOKINGS_EVENTS_TARGET": "dns:///events:50051",
            "EVENTS_BOOKINGS_TARGET": "dns:///bookings:50052",
        },
    )
    assert settings.load().channel_tls == files


def test_the_gateway_has_certificates_for_either_side(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The gateway could show services the certificate for browsers, or the other way round."""
    public = Authority(tmp_path / "public").issue("public")
    inner = Authority(tmp_path / "inner").issue("gateway")
    names = {"GATEWAY_TLS_CERT": public.certificate, "GATEWAY_TLS_KEY": public.key}
    apply(monkeypatch, {name: str(path) for name, path in names.items()})
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    assert GatewaySettings.load().channel_tls is None
    monkeypatch.setenv("GATEWAY_TLS_CA", str(inner.ca))
    found = GatewaySettings.load().channel_tls
    assert found is not None
    assert (found.certificate, found.ca) == (public.certificate, inner.ca)
    monkeypatch.setenv("GATEWAY_TLS_CLIENT_CERT", str(inner.certificate))
    monkeypatch.setenv("GATEWAY_TLS_CLIENT_KEY", str(inner.key))
    settings = GatewaySettings.load()
    assert settings.channel_tls == inner
    assert settings.http_tls is not None
    assert settings.http_tls.certificate == public.certificate


@pytest.mark.parametrize(
    ("settings", "variables", "said"),
    [
        (
            BookingsSettings,
            {"TLS_CERT": "{cert}"},
            "BOOKINGS_TLS_CERT cannot be used: a certificate and",
        ),
        (BookingsSettings, {"TLS_CA": "{ca}"}, "BOOKINGS_TLS_CA needs BOOKINGS_TLS_CERT and"),
        (GatewaySettings, {"TLS_CA": "/no"}, "GATEWAY_TLS_CA cannot be used: /no cannot be read"),
        (
            GatewaySettings,
            {"TLS_CLIENT_CERT": "{cert}", "TLS_CLIENT_KEY": "{ca}"},
            "GATEWAY_TLS_CLIENT_CERT cannot be used: {ca} is no private key",
        ),
        (
            GatewaySettings,
            {"TLS_CA": "{ca}", "EVENTS_TARGET": "ipv4:10.0.0.1:1,10.0.0.2:1"},
            "GATEWAY_EVENTS_TARGET=ipv4:10.0.0.1:1,10.0.0.2:1 has no name",
        ),
    ],
)
def test_files_that_cannot_be_used_keep_a_process_from_starting(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: type[ProcessSettings],
    variables: Mapping[str, str],
    said: str,
) -> None:
    """A process could start, and refuse every connection."""
    files = Authority(tmp_path).issue("server")
    paths = {"cert": files.certificate, "ca": files.ca}
    prefix = settings.model_config["env_prefix"]
    monkeypatch.setenv("BOXOFFICE_ALLOW_CLEARTEXT", "true")
    apply(monkeypatch, {prefix + name: value.format(**paths) for name, value in variables.items()})
    with pytest.raises(SettingsError) as caught:
        settings.load()
    assert str(caught.value).startswith(said.format(**paths))
