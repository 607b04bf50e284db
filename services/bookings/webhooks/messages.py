"""Converts between protobuf messages and webhooks."""

from collections.abc import Iterable

from yarl import URL

from boxoffice.accounts.v1 import notices_pb2
from boxoffice.bookings.v1 import feed_pb2, webhooks_pb2
from services.bookings.webhooks.letters import Letter
from services.bookings.webhooks.sending import is_address, is_public
from services.bookings.webhooks.webhooks import Delivery, Webhook, WebhookFields
from services.kit.rpc import masks
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.timestamps import timestamp

TYPE_PREFIX = "CHANGE_TYPE_"
STATUS_PREFIX = "WEBHOOK_STATUS_"


def webhook(found: Webhook, secret: str | None = None) -> webhooks_pb2.Webhook:
    """Returns a webhook as its owner sees it."""
    return webhooks_pb2.Webhook(
        id=str(found.id),
        url=found.url,
        types=[feed_pb2.ChangeType.Value(TYPE_PREFIX + name) for name in found.types],
        status=webhooks_pb2.WebhookStatus.Value(STATUS_PREFIX + found.status),
        disabled_reason=found.disabled_reason,
        failing_since=timestamp(found.failing_since),
        secret=secret,
        created_at=timestamp(found.created_at),
    )


def delivery(attempt: Delivery) -> webhooks_pb2.WebhookDelivery:
    """Returns an attempt as the owner of the webhook sees it."""
    return webhooks_pb2.WebhookDelivery(
        change_id=attempt.change_id,
        type=feed_pb2.ChangeType.Value(TYPE_PREFIX + attempt.change_type),
        at=timestamp(attempt.at),
        status=attempt.status,
        error=attempt.error,
        latency_ms=attempt.latency_ms,
    )


def notice(letter: Letter) -> notices_pb2.Notice:
    """Writes a letter as the notice that accounts mails."""
    return notices_pb2.Notice(
        id=str(letter.id),
        account_id=letter.owner_id,
        kind=notices_pb2.NoticeKind.Value(f"NOTICE_KIND_WEBHOOK_{letter.reason}"),
        reference=str(letter.webhook_id),
        webhook_url=letter.url,
    )


def fields(
    message: webhooks_pb2.Webhook, paths: Iterable[str] | None, *, public_only: bool
) -> WebhookFields:
    """Reads the fields that a client sets: those that `paths` name, or else those that are set.

    With `public_only` the URL must be https, and no address of a private network. Raises
    ValidationFailed.
    """
    set_names = {field.name for field, _ in message.ListFields()}
    named = masks.fields(paths, message) if paths is not None else set_names
    cleared = [name for name in ("url", "status") if name in named - set_names]
    if cleared:
        raise ValidationFailed(
            violations=[Violation(f"webhook.{name}", "cannot be cleared") for name in cleared]
        )
    if "url" in named:
        _expect_url(message.url, public_only=public_only)
    types = [feed_pb2.ChangeType.Name(each).removeprefix(TYPE_PREFIX) for each in message.types]
    status = webhooks_pb2.WebhookStatus.Name(message.status).removeprefix(STATUS_PREFIX)
    return WebhookFields(
        url=message.url if "url" in named else None,
        types=types if "types" in named else None,
        status=status if "status" in named else None,
    )


def _expect_url(text: str, *, public_only: bool) -> None:
    """Raises ValidationFailed for a URL that nothing may be sent to.

    Parses it as the client does that sends. Where a name leads is seen when it is connected to.
    """
    try:
        url = URL(text)
        host, problem = url.host, ""
    except ValueError:
        url, host, problem = URL(), None, "must be a URL"
    if not problem and (not host or url.user or url.password or url.fragment):
        problem = "must have a host, and neither user, password nor fragment"
    elif host and public_only and url.scheme != "https":
        problem = "must be https"
    elif host and public_only and is_address(host) and not is_public(host):
        problem = "must have a public address"
    if problem:
        raise ValidationFailed(violations=[Violation("webhook.url", problem)])
