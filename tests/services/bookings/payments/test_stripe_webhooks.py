from collections.abc import Callable

import pytest
import stripe

from services.bookings.errors import WebhookRejected
from services.bookings.payments.provider import Status
from services.bookings.payments.stripe import Stripe
from tests.services.bookings.payments.stripe_stand_in import (
    KEY,
    NEXT_SECRET,
    SECRET,
    StripeStandIn,
    event,
    signed,
)

BODY = event(
    {
        "id": "cs_1",
        "client_reference_id": "6f1c1f0e-2d3b-4c5a-8e9f-0a1b2c3d4e5f",
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 900,
        "currency": "eur",
    }
)


@pytest.fixture
def provider() -> Stripe:
    """Returns Stripe as a provider that is never called."""
    return Stripe(stripe.StripeClient(KEY), StripeStandIn().account)


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_signed_webhooks_are_read(provider: Stripe, secret: str) -> None:
    """Webhooks could be rejected, all of them or while their secret is replaced."""
    found = provider.read_webhook(BODY, signed(BODY, secret))
    assert found
    assert (found.id, found.charged.status, found.charged.reference) == (
        "evt_1",
        Status.SUCCEEDED,
        "cs_1",
    )
    assert (found.charged.amount_minor, found.charged.currency) == (900, "EUR")


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY, dict),
        (BODY, lambda: {"stripe-signature": ""}),
        (BODY, lambda: {"stripe-signature": "t=nan,v1=00"}),
        (BODY, lambda: {"stripe-signature": "t=1,v1=\u00e9"}),
        (
            BODY,
            lambda: {"stripe-signature": signed(BODY)["stripe-signature"].replace("v1=", "v0=")},
        ),
        (BODY, lambda: signed(BODY, "whsec_other")),
        (BODY, lambda: signed(BODY, seconds=-360)),
        (BODY, lambda: signed(BODY, seconds=360)),
        (
            BODY,
            lambda: {"stripe-signature": signed(BODY, seconds=360)["stripe-signature"] + ",t=1"},
        ),
        (BODY.replace(b"900", b"901"), lambda: signed(BODY)),
        (b"\xff", lambda: signed(BODY)),
        (b"", lambda: signed(BODY)),
    ],
)
def test_forged_webhooks_are_rejected(
    provider: Stripe, body: bytes, headers: Callable[[], dict[str, str]]
) -> None:
    """A forged or recorded webhook could confirm a booking."""
    with pytest.raises(WebhookRejected):
        provider.read_webhook(body, headers())


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"hello",
        event({}, "charge.refunded"),
        event({"id": "cs_2", "client_reference_id": None}),
        BODY.replace(b"6f1c", b"zzzz"),
        BODY.replace(b"900", b'"many"').replace(b'"currency":"eur"', b'"currency":null'),
        BODY.replace(b"900", str(2**63).encode()),
        BODY.replace(b"900", str(2**62).encode()).replace(b"eur", b"mga"),
        BODY.replace(b"evt_1", b"x" * 256),
    ],
)
def test_news_of_anything_else_is_none(provider: Stripe, body: bytes) -> None:
    """Stripe, which sends events of all that the account does, would send them again for days."""
    assert provider.read_webhook(body, signed(body)) is None
