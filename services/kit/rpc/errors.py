"""Refusals, and their one conversion to and from google.rpc.Status (AIP-193).

    Refusal                    a certain "no": nothing was changed
    ├── ValidationFailed       INVALID_ARGUMENT     VALIDATION_ERROR, with the fields
    ├── InvalidPageToken       INVALID_ARGUMENT     INVALID_PAGE_TOKEN
    ├── IdempotencyKeyReused   INVALID_ARGUMENT     IDEMPOTENCY_KEY_REUSED
    ├── RequestInProgress      ABORTED              REQUEST_IN_PROGRESS
    ├── Unauthenticated        UNAUTHENTICATED      UNAUTHENTICATED
    ├── InvalidToken           UNAUTHENTICATED      INVALID_TOKEN
    ├── PermissionDenied       PERMISSION_DENIED    PERMISSION_DENIED
    ├── Unavailable            UNAVAILABLE          UNAVAILABLE
    │   └── Busy               UNAVAILABLE          UNAVAILABLE; in a batch it may be asked again
    ├── OutcomeUnknown         UNKNOWN              OUTCOME_UNKNOWN; the exception: maybe done
    ├── Internal               INTERNAL             INTERNAL, a defect of ours
└── Received               the refusal of another process

    StartError                 a service cannot start like this; the operator sees the message

A service's own `errors.py` draws the rest of the tree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from boxoffice.details import details_of
from boxoffice.rest.v1 import reasons_pb2

DOMAIN = "boxoffice"
DetailT = TypeVar("DetailT", bound=Message)
NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks its rule: its path in the request (`event.name`) and what is wrong."""

    path: str
    message: str


NOT_BATCHED = Violation("method", "is not a batched method")
"""Of a method that this release of a service does not batch; the next one may."""


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """The request was refused.

    `metadata` is what the caller may want to know besides the reason; it reaches REST clients only
    as headers. `details` are of the type that the contract names for the reason; they are in the
    body. The first line of a subclass's docstring is the message.
    """

    code: grpc.StatusCode
    reason: str

    def __init__(
        self,
        *,
        violations: Sequence[Violation] = (),
        details: Message | None = None,
        **metadata: object,
    ) -> None:
        """Raises TypeError for details that the contract does not name for the reason."""
        super().__init__((type(self).__doc__ or "").partition("\n")[0])
        if details is not None and details.DESCRIPTOR.full_name != _details_type(self.reason):
            raise TypeError(f"{self.reason} has no details of {details.DESCRIPTOR.full_name}")
        self.violations = violations
        self.details = details
        self.metadata: Mapping[str, str] = {
            name: str(value) for name, value in metadata.items() if value is not None
        }


class StartError(Exception):
    """A service cannot start like this; the message is for the operator."""


class ValidationFailed(Refusal):
    """A field is missing or breaks its rule."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "VALIDATION_ERROR"


class InvalidPageToken(Refusal):
    """The page token was not made by this list with these filters."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_PAGE_TOKEN"


class IdempotencyKeyReused(Refusal):
    """The idempotency key was used before with another content."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "IDEMPOTENCY_KEY_REUSED"


class RequestInProgress(Refusal):
    """A request with this idempotency key is being worked on."""

    code = grpc.StatusCode.ABORTED
    reason = "REQUEST_IN_PROGRESS"


class Unauthenticated(Refusal):
    """The call needs a token."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class InvalidToken(Refusal):
    """The token is not valid."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "INVALID_TOKEN"


class PermissionDenied(Refusal):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unavailable(Refusal):
    """Certainly not done; try again."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class Busy(Unavailable):
    """Another transaction holds the lock that this needs."""


class OutcomeUnknown(Refusal):
    """Done or not, nobody knows yet; ask again with the same idempotency key."""

    code = grpc.StatusCode.UNKNOWN
    reason = "OUTCOME_UNKNOWN"


class Internal(Refusal):
    """A defect of ours."""

    code = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"


class Received(Refusal):
    """Another process refused."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        metadata: Mapping[str, str] = NO_METADATA,
        violations: Sequence[Violation] = (),
        message: str = "",
        *,
        details: Message | None = None,
    ) -> None:
        super().__init__(violations=violations)
        if message:
            self.args = (message,)
        self.code = code
        self.reason = reason
        self.metadata = metadata
        self.details = details


def status_of(refusal: Refusal) -> status_pb2.Status:
    """Converts to a Status with one ErrorInfo, a BadRequest if fields are named, and details."""
    status = status_pb2.Status(code=refusal.code.value[0], message=str(refusal))
    info = error_details_pb2.ErrorInfo(
        reason=refusal.reason, domain=DOMAIN, metadata=refusal.metadata
    )
    status.details.add().Pack(info)
    if refusal.violations:
        status.details.add().Pack(_bad_request(refusal.violations))
    if refusal.details is not None:
        status.details.add().Pack(refusal.details, deterministic=True)
    return status


def refusal_from_status(status: status_pb2.Status) -> Received | None:
    """Converts a Status to the refusal; returns None if it has no ErrorInfo of Boxoffice."""
    info = _detail(status, error_details_pb2.ErrorInfo())
    if info is None or info.domain != DOMAIN:
        return None
    fields = _detail(status, error_details_pb2.BadRequest())
    return Received(
        _CODES[status.code],
        info.reason,
        dict(info.metadata),
        [Violation(f.field, f.description) for f in fields.field_violations] if fields else (),
        status.message,
        details=details_of(status),
    )


def refusal_from_call(error: grpc.aio.AioRpcError) -> Received | None:
    """Returns the refusal that a failed call received; None if no service of ours refused it."""
    # The error of an aio call has the methods of a call, though its type does not declare them.
    status = rpc_status.from_call(cast(grpc.Call, error))
    return None if status is None else refusal_from_status(status)


async def abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> None:
    """Ends the call with the refusal; raises AbortError."""
    await context.abort_with_status(rpc_status.to_status(status_of(refusal)))


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    fields = (
        error_details_pb2.BadRequest.FieldViolation(field=v.path, description=v.message)
        for v in violations
    )
    return error_details_pb2.BadRequest(field_violations=fields)


@cache
def _details_type(reason: str) -> str:
    """Returns the full name of the details that the contract names for a reason, or ""."""
    value = reasons_pb2.Reason.DESCRIPTOR.values_by_name[f"REASON_{reason}"]
    return value.GetOptions().Extensions[reasons_pb2.reason].details


def _detail(status: status_pb2.Status, detail: DetailT) -> DetailT | None:
    """Unpacks the first detail of the type of `detail` into it."""
    found = next((packed for packed in status.details if packed.Is(detail.DESCRIPTOR)), None)
    if found is None:
        return None
    found.Unpack(detail)
    return detail
