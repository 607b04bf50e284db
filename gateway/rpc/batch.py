"""RPCs whose concurrent calls share batches: called like any other, sent many at a time.

What a batch looks like is said in batch.proto, which methods share them at `MethodRule.batched`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import grpc
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from boxoffice.rest.v1 import batch_pb2
from gateway.contract.bindings import Binding
from gateway.http.metrics import BATCHED
from gateway.rpc.call import Rpc
from services.kit.auth.api_keys import is_api_key
from services.kit.concurrency.combiner import Combiner
from services.kit.rpc import context
from services.kit.rpc.errors import (
    NOT_BATCHED,
    Internal,
    OutcomeUnknown,
    Received,
    Refusal,
    Unavailable,
    refusal_from_status,
)

BATCH = "/boxoffice.rest.v1.BatchService/Batch"

_CREDENTIAL = "authorization"

Metadata = tuple[tuple[str, str], ...]


class Item(NamedTuple):
    """A serialized request of a method, its caller, and when they stop waiting."""

    method: str
    request: bytes
    authorization: str
    request_id: str
    deadline: float
    traceparent: str = ""


Lane = Combiner[Item, batch_pb2.BatchResult]
Send = Callable[..., Coroutine[Any, Any, Sequence[batch_pb2.BatchResult]]]


class Batches:
    """The batches of one service.

    Writes of all methods share a lane, whose batches skip what is locked elsewhere. A write that
    comes back busy waits in a lane of those with its own value of its lane field, where it delays
    nobody else. Methods without such a field take several steps: they share a lane of their own,
    and what comes back busy is sent again by itself. Reads share another lane, which sends
    identical ones once; one whose response is too large for a batch is sent by itself, too.
    """

    def __init__(self, name: str, channel: grpc.aio.Channel, *, at_once: int, waiting: int) -> None:
        self._name = name
        self._call = channel.unary_unary(
            BATCH,
            request_serializer=batch_pb2.BatchRequest.SerializeToString,
            response_deserializer=batch_pb2.BatchResponse.FromString,
        )
        self._limits = {"at_once": at_once, "waiting": waiting}
        self.reads = self._new_lane("reads", send=self._send_distinct)
        self._writes = self._new_lane("writes", skip_busy=True)
        self._long_writes = self._new_lane("long_writes", skip_busy=True)
        self._apart: dict[Any, Lane] = {}

    def lane_of(self, binding: Binding) -> Lane:
        """Returns the lane in which requests of a method wait first."""
        if binding.is_read:
            return self.reads
        return self._writes if binding.rule.lane else self._long_writes

    async def ask_apart(self, value: Any, item: Item, *, timeout_seconds: float) -> Any:
        """Asks in the lane of a value; see Combiner.ask."""
        lane = self._apart.setdefault(value, self._new_lane("busy"))
        try:
            return await lane.ask(item, timeout_seconds=timeout_seconds)
        finally:
            if lane.is_idle and self._apart.get(value) is lane:
                del self._apart[value]

    def _new_lane(self, kind: str, *, send: Send | None = None, skip_busy: bool = False) -> Lane:
        batched = BATCHED.labels(f"{self._name}.{kind}")
        send = partial(send or self._send, batched=batched, skip_busy=skip_busy)
        return Lane(send, **self._limits)

    async def _send_distinct(
        self, items: Sequence[Item], *, batched: Any, skip_busy: bool
    ) -> Sequence[batch_pb2.BatchResult]:
        """Sends a batch of reads, identical ones of the same caller once."""
        distinct = {(item.method, item.request, item.authorization): item for item in items}
        sent = await self._send([*distinct.values()], batched=batched, skip_busy=skip_busy)
        results = dict(zip(distinct, sent, strict=True))
        return [results[item.method, item.request, item.authorization] for item in items]

    async def _send(
        self, items: Sequence[Item], *, batched: Any, skip_busy: bool
    ) -> Sequence[batch_pb2.BatchResult]:
        """Sends a batch; returns the result of each item."""
        batched.observe(len(items))
        now = asyncio.get_running_loop().time()
        # The last caller to stop waiting decides: the others stop by themselves.
        timeout = max(item.deadline for item in items) - now
        # The batch is a request of its own in logs, under the id of its first item.
        metadata = (("x-request-id", items[0].request_id),)
        request = _packed(items, skip_busy=skip_busy)
        response: batch_pb2.BatchResponse = await self._call(
            request, timeout=timeout, metadata=metadata
        )
        if len(response.results) != len(items):
            raise ValueError("a batch with another number of results than of items")
        return response.results


class BatchedRpc:
    """An RPC whose concurrent calls share batches; it is called like that of a plain stub.

    A caller with an API key goes by itself, with the `unary` RPC: accounts may have to be asked. So
    does a request to a service of a former release that does not batch the method yet.
    """

    def __init__(self, binding: Binding, batches: Batches, unary: Rpc) -> None:
        self._unary = unary
        self._path = binding.rpc_path
        self._batches = batches
        self._lane = batches.lane_of(binding)
        self._lane_field = binding.rule.lane
        self._read = GetMessageClass(binding.rpc.output_type).FromString

    async def __call__(self, request: Any, *, timeout: float, metadata: Metadata) -> Any:
        """See Rpc; raises AioRpcError when the whole batch failed."""
        has_credential = len(metadata) > 1 and metadata[1][0] == _CREDENTIAL
        authorization = metadata[1][1] if has_credential else ""
        if is_api_key(authorization):
            return await self._unary(request, timeout=timeout, metadata=metadata)
        deadline = asyncio.get_running_loop().time() + timeout
        sent, request_id = request.SerializeToString(), metadata[0][1]
        traceparent = context.traceparent.get()
        item = Item(self._path, sent, authorization, request_id, deadline, traceparent)
        try:
            result = await self._lane.ask(item, timeout_seconds=timeout)
            if result.busy and self._lane_field:
                result = await self._ask_apart(getattr(request, self._lane_field), item)
        except TimeoutError as error:
            raise OutcomeUnknown from error
        if result.HasField("response"):
            return self._read(result.response)
        refusal = Unavailable() if result.busy else _refusal(result.error)
        if (result.busy and not self._lane_field) or NOT_BATCHED in refusal.violations:
            rest = deadline - asyncio.get_running_loop().time()
            return await self._unary(request, timeout=rest, metadata=metadata)
        return refusal

    async def _ask_apart(self, value: Any, item: Item) -> Any:
        """Asks where only those wait who need the same lock."""
        timeout = item.deadline - asyncio.get_running_loop().time()
        return await self._batches.ask_apart(value, item, timeout_seconds=timeout)


def _packed(items: Sequence[Item], *, skip_busy: bool) -> batch_pb2.BatchRequest:
    request = batch_pb2.BatchRequest()
    if skip_busy:
        request.skip_busy = True
    add = request.items.add
    for item in items:
        # Names given to `add` cost more.
        packed = add()
        packed.method = item.method
        packed.request = item.request
        packed.authorization = item.authorization
        packed.request_id = item.request_id
        if item.traceparent:
            packed.traceparent = item.traceparent
    return request


def _refusal(status: bytes) -> Refusal:
    """Makes a refusal for one item out of what all items with this status share."""
    verdict = _verdict(status)
    if verdict is None:
        return Internal()
    return Received(
        verdict.code,
        verdict.reason,
        verdict.metadata,
        verdict.violations,
        str(verdict),
        details=verdict.details,
    )


@lru_cache(maxsize=256)
def _verdict(status: bytes) -> Received | None:
    """Reads a status; a sold out event answers all with the same one."""
    return refusal_from_status(Status.FromString(status))
