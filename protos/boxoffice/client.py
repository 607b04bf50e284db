"""A thin client for programs in Python: a channel that outlives replicas, and calls that repeat
themselves where that is safe.

    channel = connect("localhost:50052")
    bookings = bookings_pb2_grpc.BookingsServiceStub(channel)
    request = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
    response = await call(bookings.Reserve, request, timeout_seconds=5)
"""

import asyncio
import json
import random
import uuid
from collections.abc import Mapping
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.05

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT")
DetailT = TypeVar("DetailT", bound=Message)

_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """There is no response.

    `reason` is a value of boxoffice.rest.v1.Reason without its prefix. OUTCOME_UNKNOWN means done
    or not: calling again with the key `request_id` tells. Every other one means that nothing was
    changed. `metadata` is what the reason comes with; `fields` maps the path of each field that
    breaks a rule to what is wrong with it.
    """

    def __init__(
        self, reason: str, metadata: Mapping[str, str], fields: Mapping[str, str], request_id: str
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.metadata = metadata
        self.fields = fields
        self.request_id = request_id


def connect(
    target: str, *, service: str = "", credentials: grpc.ChannelCredentials | None = None
) -> grpc.aio.Channel:
    """Opens a channel that spreads its calls over the healthy replicas behind `target`.

    `service` is the full name of the gRPC service whose health decides, by default the server as a
    whole. Without `credentials` nothing is encrypted. Close it after use.
    """
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": service},
    }
    options = [*_OPTIONS, ("grpc.service_config", json.dumps(config))]
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, credentials, options=options)


async def call(
    rpc: "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]",
    request: RequestT,
    *,
    timeout_seconds: float,
    token: str | None = None,
) -> ResponseT:
    """Calls an RPC of Boxoffice, and again if it may have been lost on the way.

    That is done for reads and for what carries an idempotency key: `request_id`, made up where it
    is left empty. `timeout_seconds` is for all attempts together. Raises Refused, and AioRpcError
    for a failure that is none of Boxoffice's.
    """
    request, key = _keyed(request)
    attempts = MAX_ATTEMPTS if key or _is_read(request) else 1
    metadata = _metadata(token)
    now = asyncio.get_running_loop().time
    deadline = now() + timeout_seconds
    in_doubt = False
    for attempt in range(1, attempts + 1):
        # One that hangs leaves time for another, which a keepalive alone would not.
        share = 1 if attempt == attempts else 2
        try:
            return await rpc(request, timeout=(deadline - now()) / share, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            refused = _refused(error, key)
            if refused is None:
                raise
            pause = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1)  # noqa: S311
            is_last = attempt == attempts or now() + pause >= deadline
            if is_last or not _may_pass(refused.reason, in_doubt=in_doubt):
                raise _in_the_end(refused, in_doubt=in_doubt) from error
            in_doubt = in_doubt or refused.reason == _OUTCOME_UNKNOWN
        await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _keyed(request: RequestT) -> tuple[RequestT, str]:
    """Gives the request with an idempotency key, and the key; "" where it has no field for one."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request, ""
    keyed = type(request)()
    keyed.CopyFrom(request)
    key: str = getattr(request, "request_id") or uuid.uuid4().hex  # noqa: B009 - for mypy
    setattr(keyed, "request_id", key)  # noqa: B010 - ditto
    return keyed, key


def _is_read(request: Message) -> bool:
    return request.DESCRIPTOR.name.startswith(("Get", "List", "BatchGet"))


def _metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    metadata: tuple[tuple[str, str], ...] = (("x-request-id", uuid.uuid4().hex),)
    return metadata if token is None else (*metadata, ("authorization", f"Bearer {token}"))


def _may_pass(reason: str, *, in_doubt: bool) -> bool:
    """Tells whether asking again may help: an attempt that was given up may still be in flight."""
    return reason in {_UNAVAILABLE, _OUTCOME_UNKNOWN} or (in_doubt and reason == _IN_PROGRESS)


def _in_the_end(refused: Refused, *, in_doubt: bool) -> Refused:
    """Keeps a last attempt that did nothing from hiding an earlier one that may have."""
    if in_doubt and refused.reason in {_UNAVAILABLE, _IN_PROGRESS}:
        refused.reason = _OUTCOME_UNKNOWN
    return refused


def _refused(error: grpc.aio.AioRpcError, key: str) -> Refused | None:
    """Reads what the service said, or what it means that it said nothing; None for the foreign."""
    info = _detail(error, error_details_pb2.ErrorInfo())
    if info is not None and info.domain == "boxoffice":
        found = _detail(error, error_details_pb2.BadRequest())
        fields = {f.field: f.description for f in found.field_violations} if found else {}
        return Refused(info.reason, dict(info.metadata), fields, key)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Refused(_UNAVAILABLE, {}, {}, key)
    was_sent = not (error.details() or "").startswith(_NO_BACKEND)
    return Refused(_OUTCOME_UNKNOWN if was_sent else _UNAVAILABLE, {}, {}, key) if (
        error.code() in _CUT_SHORT
    ) else None


def _detail(error: grpc.aio.AioRpcError, detail: DetailT) -> DetailT | None:
    # A failed aio call tells what a call does, though its type does not say so.
    status = rpc_status.from_call(cast(grpc.Call, error))
    packed = status.details if status else ()
    return next((detail for candidate in packed if candidate.Unpack(detail)), None)


_UNAVAILABLE, _OUTCOME_UNKNOWN, _IN_PROGRESS = "UNAVAILABLE", "OUTCOME_UNKNOWN", "REQUEST_IN_PROGRESS"
_CUT_SHORT = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
}
# grpc.aio says in the text alone that a call found no connection to be sent on.
_NO_BACKEND = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving ",
)
