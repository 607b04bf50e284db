import base64

import pytest

from services.bookings.settings import DEVELOPMENT_SECRET, Settings
from services.kit.process.environment import SettingsError

PRODUCTION = {
    "BOXOFFICE_ENV": "production",
    "BOXOFFICE_SERVICE_KEY": "k" * 32,
    "BOOKINGS_DATABASE_URL": "postgresql://bookings@db/boxoffice",
    "BOOKINGS_PAYMENT_PROVIDERS": "sandbox",
}


def load(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Settings:
    """Reads the settings from an environment."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def test_the_sandbox_has_to_be_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets could be sold for no money in production."""
    without = {name: value for name, value in PRODUCTION.items() if "PAYMENT" not in name}
    assert load(monkeypatch, **without).payment_providers == ()
    other = "whsec_" + base64.b64encode(b"a secret of our own, long").decode()
    assert load(monkeypatch, **PRODUCTION, BOOKINGS_SANDBOX_SECRET=other).payment_providers == (
        "sandbox",
    )


@pytest.mark.parametrize("secret", ["", DEVELOPMENT_SECRET, "c2VjcmV0", "whsec_%", "whsec_eA=="])
def test_a_bad_secret_of_the_sandbox_is_refused(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """Everybody could sign webhooks that confirm bookings, or nobody could."""
    with pytest.raises(SettingsError, match="SANDBOX_SECRET"):
        load(monkeypatch, **PRODUCTION, BOOKINGS_SANDBOX_SECRET=secret)
