"""RPCs that have a batch twin: called like any other, sent many at a time.

What the twin's messages look like is said in rest.proto, at `MethodRule.batch`.
"""

import asyncio
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from gateway.calls import Rpc
from gateway.combining import Combiner
from gateway.contract import Binding
from gateway.metrics import BATCHED
from services.kit.api_keys import is_api_key
from services.kit.errors import (
    Internal,
    OutcomeUnknown,
    Received,
    Refusal,
    Unavailable,
    refusal_from_status,
)

Metadata = tuple[tuple[str, str], ...]


class Item(NamedTuple):
    """A request, the metadata of a call of its own, and when its caller stops waiting."""

    request: Any
    metadata: Metadata
    deadline: float


BUSY: Final = object()
"""What comes back of an item when somebody else holds the lock that it needs."""


class BatchedRpc:
    """An RPC whose concurrent calls share batches; it is called like that of a plain stub.

    All share one lane, whose batches skip what is locked elsewhere. A request that comes back busy
    waits in a lane of those with its own value of the lane field, where it delays nobody else. Who
    shows an API key goes by itself, with the `unary` RPC: accounts may have to be asked about it.
    So does whoever shows a token, where a twin that knows nobody's finds nothing: there may be
    something for them alone.
    """

    def __init__(
        self,
        binding: Binding,
        channel: grpc.aio.Channel,
        unary: Rpc,
        *,
        at_once: int,
        waiting: int,
    ) -> None:
        self._unary = unary
        self._lane_field = binding.rule.lane
        self._twin = Twin(binding.rpc, binding.rule.batch, channel)
        self._new_lane = partial(Combiner[Item, Any], at_once=at_once, waiting=waiting)
        self._shared = self._new_lane(partial(self._twin.send, skips_locked=bool(self._lane_field)))
        self._lanes: dict[Any, Combiner[Item, Any]] = {}

    async def __call__(self, request: Any, *, timeout: float, metadata: Metadata) -> Any:
        """See Rpc; raises AioRpcError when the whole batch failed."""
        if is_api_key(_credential(metadata)):
            return await self._unary(request, timeout=timeout, metadata=metadata)
        now = asyncio.get_running_loop().time
        item = Item(request, metadata, now() + timeout)
        try:
            outcome = await self._shared.ask(item, timeout_seconds=timeout)
            if outcome is BUSY:
                outcome = await self._ask_apart(item, item.deadline - now())
        except TimeoutError as error:
            raise OutcomeUnknown from error
        if outcome is BUSY:
            raise Unavailable
        if self._may_exist_for_some(outcome) and _credential(metadata):
            return await self._unary(request, timeout=item.deadline - now(), metadata=metadata)
        return outcome

    def _may_exist_for_some(self, outcome: Any) -> bool:
        if self._twin.knows_callers or not isinstance(outcome, Refusal):
            return False
        return outcome.code is grpc.StatusCode.NOT_FOUND

    async def _ask_apart(self, item: Item, timeout_seconds: float) -> Any:
        """Asks where only those wait who need the same lock."""
        value = getattr(item.request, self._lane_field)
        lane = self._lanes.setdefault(value, self._new_lane(self._twin.send))
        try:
            return await lane.ask(item, timeout_seconds=timeout_seconds)
        finally:
            if lane.is_idle and self._lanes.get(value) is lane:
                del self._lanes[value]


def _credential(metadata: Metadata) -> str:
    return metadata[1][1] if len(metadata) > 1 else ""


class Twin:
    """The batch RPC: packs items, and takes the results apart."""

    def __init__(self, rpc: MethodDescriptor, name: str, channel: grpc.aio.Channel) -> None:
        twin = rpc.containing_service.methods_by_name[name]
        self._request_class: Any = GetMessageClass(twin.input_type)
        entry = twin.input_type.fields_by_name["items"].message_type
        self.knows_callers = entry is not rpc.input_type
        self._add = _add_with_caller if self.knows_callers else _add
        self._batched = BATCHED.labels(twin.name)
        self._call = channel.unary_unary(
            f"/{rpc.containing_service.full_name}/{twin.name}",
            request_serializer=self._request_class.SerializeToString,
            response_deserializer=GetMessageClass(twin.output_type).FromString,
        )

    async def send(self, items: Sequence[Item], *, skips_locked: bool = False) -> Sequence[Any]:
        """Gives for each item its response, its refusal, or BUSY."""
        self._batched.observe(len(items))
        now = asyncio.get_running_loop().time()
        # The last one to give up decides: who gives up earlier does so by himself.
        timeout = max(item.deadline for item in items) - now
        request = self._request_class()
        for item in items:
            self._add(request.items, item)
        if skips_locked:
            request.skips_locked = True
        response: Any = await self._call(request, timeout=timeout, metadata=items[0].metadata[:1])
        pairs = zip(items, response.results, strict=True)
        return [_unpacked(result) for _, result in pairs]


def _add(entries: Any, item: Item) -> None:
    entries.append(item.request)


def _add_with_caller(entries: Any, item: Item) -> None:
    carried = dict(item.metadata)
    entries.add(
        request=item.request,
        authorization=carried.get("authorization"),
        caller_request_id=carried["x-request-id"],
    )


def _unpacked(result: Any) -> Any:
    if result.HasField("response"):
        return result.response
    if result.HasField("error"):
        return _refusal(result.error.SerializeToString())
    return BUSY


def _refusal(status: bytes) -> Refusal:
    """Makes a refusal for one item out of what all items with this status share."""
    verdict = _verdict(status)
    if verdict is None:
        return Internal()
    return Received(
        verdict.code, verdict.reason, verdict.metadata, verdict.violations, str(verdict)
    )


@lru_cache(maxsize=256)
def _verdict(status: bytes) -> Received | None:
    """Reads a status; a sold out event answers all with the same one."""
    return refusal_from_status(Status.FromString(status))
