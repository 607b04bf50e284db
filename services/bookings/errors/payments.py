"""Refusals about payments and their providers."""

import grpc

from services.kit.rpc.errors import Refusal, RequestInProgress


class PaymentNotFound(Refusal):
    """There is no such payment."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PAYMENT_NOT_FOUND"


class AlreadyPaid(Refusal):
    """The booking is paid already, or costs nothing."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ALREADY_PAID"


class PaymentUnderWay(RequestInProgress):
    """A payment of this booking is under way."""


class PaymentDeclined(Refusal):
    """The provider took no money."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "PAYMENT_DECLINED"


class ProviderNotFound(Refusal):
    """There is no such payment provider."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class WebhookRejected(Refusal):
    """The event was not signed by the provider, or too long ago, or in the future."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "BAD_REQUEST"
