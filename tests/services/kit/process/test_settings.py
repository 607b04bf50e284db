import pytest
from pydantic import ValidationError

from services.bookings.settings import Settings


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the settings of the developer's shell."""
    for name in ("ENV", "OPEN_ACCESS", "SERVICE_KEY", "REFLECTION", "LOG_LEVEL", "LOG_SAMPLE"):
        monkeypatch.delenv(f"BOXOFFICE_{name}", raising=False)
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", "postgresql://localhost")


def test_defaults_are_safe() -> None:
    """A deployment that forgets a setting could have open access, reflection or a service key."""
    settings = Settings()
    assert (settings.open_access, settings.reflection, settings.service_key) == (False, False, "")


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting could be read under another prefix than the documented one."""
    monkeypatch.setenv("BOXOFFICE_OPEN_ACCESS", "1")
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "secret")
    monkeypatch.setenv("BOOKINGS_POOL_SIZE", "3")
    settings = Settings()
    assert (settings.open_access, settings.service_key, settings.pool_size) == (True, "secret", 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BOXOFFICE_LOG_SAMPLE", "1.1"),
        ("BOXOFFICE_LOG_SAMPLE", "often"),
        ("BOXOFFICE_OPEN_ACCESS", "maybe"),
        ("BOOKINGS_POOL_SIZE", "1"),
    ],
)
def test_an_invalid_setting_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A mistyped setting could fail requests long after the start."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_database_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service could start on a database that nobody has chosen."""
    monkeypatch.delenv("BOOKINGS_DATABASE_URL")
    with pytest.raises(ValidationError):
        Settings()


def test_settings_cannot_be_changed() -> None:
    """Code could change a setting while the process runs."""
    with pytest.raises(ValidationError):
        Settings().open_access = True  # type: ignore[misc] # which is what it must not do


@pytest.mark.parametrize("service_key", ["", "secret", "k" * 31])
def test_production_refuses_weak_secrets(monkeypatch: pytest.MonkeyPatch, service_key: str) -> None:
    """An attacker who guesses the service key could call as any service."""
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", service_key)
    Settings()
    monkeypatch.setenv("BOXOFFICE_ENV", "production")
    with pytest.raises(ValidationError, match="BOXOFFICE_SERVICE_KEY") as caught:
        Settings()
    assert not service_key or service_key not in str(caught.value)
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "k" * 32)
    Settings()
