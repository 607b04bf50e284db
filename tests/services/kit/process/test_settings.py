import pytest
from pydantic import ValidationError

from services.bookings.settings import Settings


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away what the shell of a developer may set."""
    for name in ("ENV", "OPEN_ACCESS", "SERVICE_KEY", "REFLECTION", "LOG_LEVEL", "LOG_SAMPLE"):
        monkeypatch.delenv(f"BOXOFFICE_{name}", raising=False)
    monkeypatch.setenv("BOOKINGS_DATABASE_URL", "postgresql://nowhere")


def test_what_is_not_set_is_closed() -> None:
    """A deployment that forgets a setting is safe: no open access, no reflection, no service."""
    settings = Settings()
    assert (settings.open_access, settings.reflection, settings.service_key) == (False, False, "")


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of every process by one prefix, a service's own by its own."""
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
def test_a_setting_that_makes_no_sense_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A typing error is found by who made it, not by who is served."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_database_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no database that could be meant."""
    monkeypatch.delenv("BOOKINGS_DATABASE_URL")
    with pytest.raises(ValidationError):
        Settings()


def test_settings_cannot_be_changed() -> None:
    """What a process started with is what it has."""
    with pytest.raises(ValidationError):
        Settings().open_access = True


@pytest.mark.parametrize("service_key", ["", "secret", "k" * 31])
def test_production_starts_with_no_weak_secret(
    monkeypatch: pytest.MonkeyPatch, service_key: str
) -> None:
    """Whoever guesses the key of services is every service."""
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", service_key)
    Settings()
    monkeypatch.setenv("BOXOFFICE_ENV", "production")
    with pytest.raises(ValidationError, match="BOXOFFICE_SERVICE_KEY") as caught:
        Settings()
    assert not service_key or service_key not in str(caught.value)
    monkeypatch.setenv("BOXOFFICE_SERVICE_KEY", "k" * 32)
    Settings()
