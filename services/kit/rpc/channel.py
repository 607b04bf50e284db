"""Calls to other processes: one channel per target, and a deadline for every call."""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

import grpc

from boxoffice.client import CHANNEL_OPTIONS
from services.kit.rpc import context, errors
from services.kit.tls.grpc_channel import ClientTls, TlsChannel

RequestT_contra = TypeVar("RequestT_contra", contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", covariant=True)
RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Rpc(Protocol[RequestT_contra, ResponseT_co]):
    """A method of an asynchronous stub."""

    def __call__(
        self, request: RequestT_contra, *, timeout: float, metadata: tuple[tuple[str, str], ...]
    ) -> Awaitable[ResponseT_co]:
        """Starts the call."""


def open_channel(
    target: str, tls: ClientTls | None = None, *, server_name: str = ""
) -> grpc.aio.Channel:
    """Opens a channel that spreads its calls over the replicas behind `target`.

    It stops using a replica that shuts down, without losing a call. Without `tls` nothing is
    encrypted. The certificate must have `server_name` if it is given, else the name in the target.
    Close the channel after use.
    """
    options = [*CHANNEL_OPTIONS, ("grpc.enable_http_proxy", 0)]
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    if server_name:
        options.append(("grpc.ssl_target_name_override", server_name))
    return TlsChannel(target, tls, options)


async def call(
    rpc: Rpc[RequestT, ResponseT],
    request: RequestT,
    *,
    timeout_seconds: float,
    authorization: str = "",
) -> ResponseT:
    """Calls another service on behalf of the current request.

    Takes at most `timeout_seconds`, or less if the caller's own deadline is nearer. Raises Received
    if the other service refused, Unavailable if it certainly did nothing, and OutcomeUnknown if it
    may have done something.
    """
    metadata: tuple[tuple[str, str], ...] = (("x-request-id", context.request_id.get()),)
    if authorization:
        metadata += (("authorization", authorization),)
    if traceparent := context.traceparent.get():
        metadata += (("traceparent", traceparent),)
    timeout = context.remaining_seconds(timeout_seconds)
    try:
        return await rpc(request, timeout=timeout, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise (errors.refusal_from_call(error) or _unanswered(error)) from error


def was_not_sent(error: grpc.aio.AioRpcError) -> bool:
    """Returns whether the request was certainly not sent, because there was no connection.

    grpc.aio reports that only in its text; with any other text the request may have been sent.
    """
    text = error.details() or ""
    return error.code() is grpc.StatusCode.UNAVAILABLE and text.startswith(_NO_BACKEND)


def _unanswered(error: grpc.aio.AioRpcError) -> errors.Refusal:
    # An overloaded server refuses a call before it begins.
    if was_not_sent(error) or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.Unavailable()
    return errors.OutcomeUnknown()


_NO_BACKEND = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving ",
)
