"""A thin client: a channel that outlives replicas, and calls that are repeated where it is safe."""

import asyncio
import copy
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from boxoffice.details import details_of
from boxoffice.methods import is_read

MAX_ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.05

RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT")
DetailT = TypeVar("DetailT", bound=Message)

# A server that stops ends a call that it did not begin as CANCELLED, and no other call, so that one
# is sent again. Not health checks: they crash grpcio, and timeouts fire too early in Python.
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["CANCELLED"],
            },
        }
    ],
}

MAX_MESSAGE_BYTES = 16 << 20
"""The largest message that a service takes or gives."""

MAX_METADATA_BYTES = 128 << 10
"""The largest metadata of a response: the details of a refusal can be 60 KiB of seats."""

CHANNEL_OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
]
"""Options of every channel to a service of Boxoffice."""


@dataclass(eq=False)
class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """There is no response.

    `reason` is a value of boxoffice.rest.v1.Reason without its prefix. OUTCOME_UNKNOWN means done
    or not: calling again with the key `request_id` tells. Every other one means that nothing was
    changed. `metadata` is what the reason comes with; `fields` maps the path of each field that
    breaks a rule to what is wrong with it; `details` is the message that the contract names for the
    reason, if there is one.
    """

    reason: str
    metadata: Mapping[str, str]
    fields: Mapping[str, str]
    request_id: str
    details: Message | None = None


def connect(target: str, tls: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """Opens a channel that spreads its calls over the replicas behind `target`.

    A replica that stops is left out, and no call is lost by that. Without `tls`, which
    grpc.ssl_channel_credentials makes, nothing is encrypted. Close the channel after use.
    """
    if tls is None:
        return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    return grpc.aio.secure_channel(target, tls, options=CHANNEL_OPTIONS)


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
    attempts = MAX_ATTEMPTS if key or _is_read(request.DESCRIPTOR) else 1
    metadata = [("x-request-id", uuid.uuid4().hex)]
    metadata += [("authorization", f"Bearer {token}")] if token else []
    now = asyncio.get_running_loop().time
    deadline = now() + timeout_seconds
    in_doubt = False
    for attempt in range(1, attempts + 1):
        # One that hangs leaves time for another, which a keepalive alone would not.
        share = 1 if attempt == attempts else 2
        try:
            return await rpc(request, timeout=(deadline - now()) / share, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            refused = _refused(error, key, in_doubt=in_doubt)
            if refused is None:
                raise
            in_doubt = refused.reason == _OUTCOME_UNKNOWN
            may_pass = in_doubt or refused.reason == _UNAVAILABLE
            pause = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1)  # noqa: S311
            if not may_pass or attempt == attempts or now() + pause >= deadline:
                raise refused from error
        await asyncio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


@cache
def _is_read(request: Descriptor) -> bool:
    """Returns whether the method that takes such a request is a read."""
    methods = [m for service in request.file.services_by_name.values() for m in service.methods]
    return any(is_read(m) for m in methods if m.input_type.full_name == request.full_name)


def _keyed(request: RequestT) -> tuple[RequestT, str]:
    """Returns the request with an idempotency key, and the key; "" if it has no field for one."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request, ""
    keyed: Any = copy.copy(request)
    keyed.request_id = keyed.request_id or uuid.uuid4().hex
    return keyed, keyed.request_id


def _refused(error: grpc.aio.AioRpcError, key: str, *, in_doubt: bool) -> Refused | None:
    """Reads what the service said, or what it means that it said nothing; None for the foreign.

    An attempt that did nothing must not hide an earlier one that may have, and may be at it still.
    """
    info = _detail(error, error_details_pb2.ErrorInfo())
    reason = info.reason if info.domain == "boxoffice" else _without_verdict(error)
    if not reason:
        return None
    if in_doubt and reason in {_UNAVAILABLE, "REQUEST_IN_PROGRESS"}:
        reason = _OUTCOME_UNKNOWN
    found = _detail(error, error_details_pb2.BadRequest()).field_violations
    fields = {violation.field: violation.description for violation in found}
    status = _status(error)
    details = None if status is None else details_of(status)
    return Refused(reason, dict(info.metadata), fields, key, details)


def _without_verdict(error: grpc.aio.AioRpcError) -> str:
    # A server with too much to do says so before it begins.
    is_busy = error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    if is_busy or (error.details() or "").startswith(_NO_BACKEND):
        return _UNAVAILABLE
    return _OUTCOME_UNKNOWN if error.code().name in _CUT_SHORT else ""


def _detail(error: grpc.aio.AioRpcError, detail: DetailT) -> DetailT:
    """Unpacks the first detail of its type into `detail`, which stays empty without one."""
    status = _status(error)
    any(packed.Unpack(detail) for packed in (status.details if status else ()))
    return detail


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status | None:
    # The error of an aio call has the methods of a call, though its type does not declare them.
    return rpc_status.from_call(cast(grpc.Call, error))


_UNAVAILABLE, _OUTCOME_UNKNOWN = "UNAVAILABLE", "OUTCOME_UNKNOWN"
_CUT_SHORT = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "CANCELLED", "INTERNAL"}
# grpc.aio says in the text alone that a call found no connection to be sent on.
_NO_BACKEND = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving ",
)
