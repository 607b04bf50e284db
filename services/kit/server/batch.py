"""Serves BatchService: requests of many callers in one call, each treated like a single call.

A batched method has a handler, which answers many items at once. `answer_alone` answers a single
call with the same handler, so that the method has one implementation.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc, rest_pb2
from services.kit.auth.authentication import Authenticator, Caller
from services.kit.rpc import context
from services.kit.rpc.callers import Rule
from services.kit.rpc.errors import NOT_BATCHED, Busy, Refusal, ValidationFailed, status_of
from services.kit.rpc.spans import Spans
from services.kit.server import interceptors, traces
from services.kit.server.call_log import CallLog
from services.kit.server.interceptors import Method, ServicerContext

SERVICE = batch_pb2.DESCRIPTOR.services_by_name["BatchService"].full_name
PATH = f"/{SERVICE}/Batch"
MAX_READ_BYTES = 2 * 1024 * 1024
"""Bytes that the responses of all reads of a batch may have together."""
RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)


class Item(NamedTuple, Generic[RequestT]):
    """A request that was admitted and is valid, its caller, and its id for logs."""

    request: RequestT
    caller: Caller
    request_id: str


Outcome: TypeAlias = Message | bytes | Exception
"""A response, the bytes of one, or why there is none: a Refusal (Busy among them) or a failure."""


class Handler(Protocol):
    """Answers many items of one method at once."""

    async def __call__(
        self, items: Sequence[Item[Any]], /, *, skip_busy: bool
    ) -> Sequence[Outcome]:
        """Returns an outcome for each item, in their order.

        With `skip_busy` an item is Busy instead of waiting for a lock that another transaction
        holds. An exception that is raised is the outcome of all items.
        """


def handlers_of(service: ServiceDescriptor, **handlers: Handler) -> Mapping[str, Handler]:
    """Maps the paths of a service's methods to their handlers."""
    return {f"/{service.full_name}/{name}": handler for name, handler in handlers.items()}


async def answer_alone(handler: Handler, request: Message, response: type[ResponseT]) -> ResponseT:
    """Answers a single call, which the layers have admitted; raises its refusal."""
    item = Item(request, context.caller.get(), context.request_id.get())
    [outcome] = await handler([item], skip_busy=False)
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, bytes):
        return response.FromString(outcome)
    if not isinstance(outcome, response):
        raise TypeError(f"{type(outcome)} is no {response}")
    return outcome


class BatchServicer(batch_pb2_grpc.BatchServiceServicer):
    """Answers batches with the handlers of their methods.

    Raises ValueError unless `handlers` has exactly the batched methods of its services.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        handlers: Mapping[str, Handler],
        *,
        log_sample: float,
        spans: Spans | None = None,
    ) -> None:
        _expect_batched(handlers)
        self._authenticator = authenticator
        self._methods = {
            path: _batched(path, handler, log_sample) for path, handler in handlers.items()
        }
        self._unknown = _unknown(log_sample)
        self._spans = spans

    async def Batch(  # noqa: N802 - named by the contract
        self, request: batch_pb2.BatchRequest, _: ServicerContext
    ) -> batch_pb2.BatchResponse:
        """See batch.proto."""
        answers = _Answers(skip_busy=request.skip_busy)
        find = self._methods.get
        entries = [
            _Entry(item, find(item.method, self._unknown), answers.response.results.add())
            for item in request.items
        ]
        traced = traces.of_items(self._spans, request.items) if self._spans else ()
        try:
            await _answer(await self._admit(entries, answers), answers)
        except asyncio.CancelledError:
            for entry in entries:
                if entry.result.WhichOneof("result") is None:
                    entry.method.calls.abandoned()
            raise
        finally:
            traces.end_items(traced, answers.response.results)
        return answers.response

    async def _admit(
        self, entries: Sequence["_Entry"], answers: "_Answers"
    ) -> Mapping["_Batched", list["_Entry"]]:
        """Reads the items, and refuses those that would be refused as single calls.

        Returns the others, grouped by method.
        """
        admitted: dict[_Batched, list[_Entry]] = {}
        authorizations = [entry.sent.authorization for entry in entries]
        callers = await self._authenticator.authenticate_all(authorizations)
        for entry, caller in zip(entries, callers, strict=True):
            if refusal := self._objection(entry, caller):
                answers.write(entry.method, [entry], [refusal])
            else:
                admitted.setdefault(entry.method, []).append(entry)
        return admitted

    def _objection(self, entry: "_Entry", caller: Caller | Refusal) -> Refusal | None:
        """Sets the item of an entry; returns the refusal if it is not admitted."""
        if isinstance(caller, Refusal):
            return caller
        method = entry.method
        try:
            self._authenticator.admit(caller, method.described.rule)
        except Refusal as refusal:
            return refusal
        request: Any = method.read(entry.sent.request)
        entry.item = Item(request, caller, entry.request_id)
        return interceptors.objection(request, caller)


@dataclass(frozen=True, slots=True, eq=False)
class _Batched:
    """A method of batches: how its items are admitted, read, answered and recorded."""

    described: Method
    read: Callable[[bytes], Message | None]
    handler: Handler
    calls: CallLog

    async def answer(self, entries: Sequence["_Entry"], answers: "_Answers") -> None:
        """Answers entries; an exception of the handler is the outcome of all of them."""
        outcomes: Sequence[bytes | Exception]
        try:
            items = [entry.item for entry in entries]
            given = await self.handler(items, skip_busy=answers.skip_busy)
            outcomes = _ready(given, len(items))
        except Exception as error:  # noqa: BLE001 - as in a call of its own
            outcomes = [error] * len(entries)
        answers.write(self, entries, outcomes)


class _Entry:
    """An item as sent, the item for its handler, and its result."""

    __slots__ = ("item", "method", "request_id", "result", "sent")

    item: Item[Any]

    def __init__(
        self, sent: batch_pb2.BatchItem, method: _Batched, result: batch_pb2.BatchResult
    ) -> None:
        self.sent = sent
        self.method = method
        self.result = result
        self.request_id = interceptors.fit_request_id(sent.request_id)


class _Answers:
    """Writes the response to a batch, and records the outcomes."""

    def __init__(self, *, skip_busy: bool) -> None:
        self.response = batch_pb2.BatchResponse()
        self.skip_busy = skip_busy
        self._started = time.perf_counter()
        self._read_bytes = 0

    def write(
        self, method: _Batched, entries: Sequence[_Entry], outcomes: Iterable[bytes | Exception]
    ) -> None:
        """Writes the outcomes of a method's entries."""
        seconds = time.perf_counter() - self._started
        answered: list[str] = []
        failed: dict[Exception, list[_Entry]] = {}
        for entry, outcome in zip(entries, outcomes, strict=True):
            if isinstance(outcome, bytes) and self._has_room(method, outcome):
                entry.result.response = outcome
                answered.append(entry.request_id)
            elif isinstance(outcome, bytes) or (self.skip_busy and isinstance(outcome, Busy)):
                entry.result.busy = True  # not recorded: the client sends it again
            else:
                failed.setdefault(outcome, []).append(entry)
        if answered:
            method.calls.answered(answered, seconds)
        for error, alike in failed.items():
            _refuse(
                method, alike, interceptors.refusal_from_exception(error, method.described), seconds
            )

    def _has_room(self, method: _Batched, response: bytes) -> bool:
        """Counts the bytes of a read; returns whether the batch can carry them. Writes are done."""
        if method.described.is_read:
            self._read_bytes += len(response)
        return not method.described.is_read or self._read_bytes <= MAX_READ_BYTES


def _refuse(method: _Batched, entries: Sequence[_Entry], refusal: Refusal, seconds: float) -> None:
    status = status_of(refusal).SerializeToString()
    for entry in entries:
        entry.result.error = status
    method.calls.refused([entry.request_id for entry in entries], refusal, seconds)


async def _answer(admitted: Mapping[_Batched, Sequence[_Entry]], answers: _Answers) -> None:
    """Passes entries to the handlers of their methods, which run concurrently."""
    if len(admitted) == 1:  # no task is needed: most batches have one method
        [(method, entries)] = admitted.items()
        await method.answer(entries, answers)
        return
    async with asyncio.TaskGroup() as group:
        for method, entries in admitted.items():
            group.create_task(method.answer(entries, answers))


def _ready(outcomes: Sequence[Outcome], count: int) -> Sequence[bytes | Exception]:
    """Serializes the responses that are still messages."""
    if len(outcomes) != count:
        raise ValueError(f"{len(outcomes)} outcomes of {count} items")
    return [
        outcome.SerializeToString() if isinstance(outcome, Message) else outcome
        for outcome in outcomes
    ]


def _batched(path: str, handler: Handler, log_sample: float) -> _Batched:
    request = GetMessageClass(interceptors.find(path).input_type)
    read = interceptors.lenient_deserializer(request.FromString)
    return _Batched(interceptors.describe(path), read, handler, CallLog(path, log_sample))


def _unknown(log_sample: float) -> _Batched:
    """Stands for methods without a handler; their items count as calls of Batch."""
    method = Method(PATH, Rule(rest_pb2.ACCESS_PUBLIC), is_read=True)
    return _Batched(method, lambda _: Empty(), _refuse_unknown, CallLog(PATH, log_sample))


async def _refuse_unknown(items: Sequence[Item[Any]], /, **_: bool) -> Sequence[Outcome]:
    refusal = ValidationFailed(violations=[NOT_BATCHED])
    return [refusal] * len(items)


def _expect_batched(paths: Iterable[str]) -> None:
    services = {interceptors.find(path).containing_service for path in paths}
    declared = {
        f"/{service.full_name}/{method.name}"
        for service in services
        for method in service.methods
        if method.GetOptions().Extensions[rest_pb2.method].batched
    }
    if differing := declared ^ set(paths):
        raise ValueError(f"batched by the contract or by a handler only: {sorted(differing)}")
