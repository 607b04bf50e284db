"""How calls fail: what a failure means for the client, and whether the request may have arrived."""

import grpc
import structlog

from services.kit.rpc import channel, errors

log = structlog.get_logger()

Failure = grpc.aio.AioRpcError | errors.Refusal
"""How a call fails: as a call of its own, or as an item of a batch."""

FAILURES = (grpc.aio.AioRpcError, errors.Refusal)


def refusal_of(error: Failure, *, is_read: bool) -> errors.Refusal:
    """Returns the refusal that a client gets for a failed call.

    A write that may have arrived, and that the service did not answer, is OUTCOME_UNKNOWN.
    """
    if isinstance(error, errors.Refusal):
        return error
    if (verdict := errors.refusal_from_call(error)) is not None:
        return verdict
    code = error.code()
    if was_not_sent(error) or code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.Unavailable()
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.OutcomeUnknown()
    if code in _CUT_SHORT:
        return errors.Unavailable() if is_read else errors.OutcomeUnknown()
    log.error("service failed without a verdict", code=code.name, details=error.details())
    return errors.Internal()


def was_not_sent(error: Failure) -> bool:
    """Returns whether the request never left, as there was no connection to send it on."""
    return isinstance(error, grpc.aio.AioRpcError) and channel.was_not_sent(error)


def was_cut_short(error: Failure) -> bool:
    """Returns whether the transport failed half-way, or the service does not know the outcome."""
    if (refusal := _verdict(error)) is not None:
        return refusal.reason == errors.OutcomeUnknown.reason
    return (
        isinstance(error, grpc.aio.AioRpcError)
        and error.code() in _CUT_SHORT
        and not was_not_sent(error)
    )


def _verdict(error: Failure) -> errors.Refusal | None:
    return error if isinstance(error, errors.Refusal) else errors.refusal_from_call(error)


_CUT_SHORT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
}
