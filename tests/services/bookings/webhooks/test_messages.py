import pytest

from boxoffice.bookings.v1 import webhooks_pb2
from services.bookings.webhooks import messages
from services.kit.rpc.errors import ValidationFailed


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://127.0.0.1",
        "https://[::1]/",
        "https://2130706433/",
        "https://10.1",
    ],
)
def test_in_production_a_url_is_https_and_public(url: str) -> None:
    """The owner would learn of it from a log of failures; in development it is of use."""
    webhook = webhooks_pb2.Webhook(url=url)
    with pytest.raises(ValidationFailed):
        messages.fields(webhook, None, public_only=True)
    assert messages.fields(webhook, None, public_only=False).url == url


def test_a_url_and_a_status_cannot_be_cleared() -> None:
    """A webhook without a URL would fail for ever."""
    with pytest.raises(ValidationFailed) as refused:
        messages.fields(webhooks_pb2.Webhook(), ["url", "status"], public_only=False)
    named = [violation.path for violation in refused.value.violations]
    assert named == ["webhook.url", "webhook.status"]


def test_types_can_be_cleared() -> None:
    """A webhook could never get all types again."""
    cleared = messages.fields(webhooks_pb2.Webhook(), ["types"], public_only=False)
    assert (cleared.types, cleared.url, cleared.status) == ([], None, None)
