"""Refusals about the feed of changes, webhooks and live updates."""

import grpc

from services.kit.rpc.errors import Refusal


class TooSlow(Refusal):
    """Too many changes wait for the caller; watch again from the last revision."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


class ChangesGone(Refusal):
    """The changes after this cursor are no longer kept."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "CHANGES_GONE"


class WebhookNotFound(Refusal):
    """There is no such webhook."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "WEBHOOK_NOT_FOUND"


class TooManyWebhooks(Refusal):
    """The account has as many webhooks as one may have."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TOO_MANY_WEBHOOKS"
