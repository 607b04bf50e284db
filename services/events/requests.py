"""What the requests of this service have in common: idempotency keys, `If-Match`, and replays."""

import hashlib
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast

from google.protobuf.message import Message

from services.events.idempotency import Replayed
from services.kit.database.idempotency import Key
from services.kit.rpc import context

Responses: TypeAlias = Mapping[str, Callable[[Any], Message]]
"""Functions that make the response to a result, by the operation: `CreateEvent`."""


class Response(Protocol):
    """A response that may be a replay."""

    replayed: bool

    @classmethod
    def FromString(cls, s: bytes) -> Self:  # noqa: N802 - named by protobuf
        """Parses a response."""


ResponseT = TypeVar("ResponseT", bound=Response)


def key_of(request: Message, request_id: str) -> Key | None:
    """Returns the idempotency key of a request, or None. All services are one caller."""
    if not request_id:
        return None
    caller = context.caller.get()
    owner = "service" if caller.is_service else caller.subject or ""
    operation = request.DESCRIPTOR.name.removesuffix("Request")
    return Key(owner, operation, request_id, fingerprint(request))


def fingerprint(request: Message) -> bytes:
    """Digests the content of a request, whatever its key and the order of its fields."""
    content: Any = deepcopy(request)
    content.ClearField("request_id")
    if "update_mask" in request.DESCRIPTOR.fields_by_name and content.HasField("update_mask"):
        content.update_mask.paths[:] = sorted(set(content.update_mask.paths))
    digested = content.DESCRIPTOR.name.encode(), content.SerializeToString(deterministic=True)
    return hashlib.sha256(b"\x1f".join((b"v1", *digested))).digest()


def versions(if_match: str) -> frozenset[str] | None:
    """Returns the versions that `If-Match` admits; None admits any. A weak tag never matches."""
    if if_match.strip() in {"", "*"}:
        return None
    return frozenset(_STRONG_TAG.findall(if_match))


_STRONG_TAG = re.compile(r'(?:^|,)\s*"([^"]*)"(?=\s*(?:,|$))')


def respond(result: object, expected: type[ResponseT], responses: Responses) -> ResponseT:
    """Returns the response to a result, or the response that is replayed."""
    if isinstance(result, Replayed):
        replayed = expected.FromString(result.response)
        replayed.replayed = True
        return replayed
    return cast("ResponseT", responses[expected.__name__.removesuffix("Response")](result))
