import base64

import pytest

from services.bookings.settings import DEVELOPMENT_SECRET, Settings
from services.kit.process.environment import SettingsError

PRODUCTION = {
    "BOXOFFICE_ENV": "production",
    "BOXOFFICE_SERVICE_KEY": "k" * 32,
    "BOOKINGS_DATABASE_URL": "postgresql://bookings@localhost/boxoffice",
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


STRIPE = PRODUCTION | {
    "BOOKINGS_PAYMENT_PROVIDERS": "stripe",
    "BOOKINGS_STRIPE_API_KEY": "rk_live_a",
    "BOOKINGS_STRIPE_WEBHOOK_SECRETS": "whsec_a,whsec_b",
    "BOOKINGS_STRIPE_RETURN_URL": "https://shop.example/paid/{payment_id}",
}


def test_stripe_has_to_be_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payments could fail one by one, or secrets be shown, where a setting is missing."""
    settings = load(monkeypatch, **STRIPE)
    assert settings.stripe_webhook_secrets == ("whsec_a", "whsec_b")
    assert not any(secret in repr(settings) for secret in ("rk_live_a", "whsec_a", "whsec_b"))
    for name in ("API_KEY", "WEBHOOK_SECRETS", "RETURN_URL"):
        with pytest.raises(SettingsError, match=name):
            load(monkeypatch, **STRIPE | {f"BOOKINGS_STRIPE_{name}": ""})
    with pytest.raises(SettingsError, match="must be a URL"):
        load(monkeypatch, **STRIPE | {"BOOKINGS_STRIPE_RETURN_URL": "shop.example"})


@pytest.mark.parametrize("secret", ["", DEVELOPMENT_SECRET, "c2VjcmV0", "whsec_%", "whsec_eA=="])
def test_a_bad_secret_of_the_sandbox_is_refused(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    """Everybody could sign webhooks that confirm bookings, or nobody could."""
    with pytest.raises(SettingsError, match="SANDBOX_SECRET"):
        load(monkeypatch, **PRODUCTION, BOOKINGS_SANDBOX_SECRET=secret)
