"""Serves BatchService: requests of many callers in one call, each treated as a call of its own.

A method that shares batches has a handler, which answers many items at once. `answer_alone` answers
a call of its own by the same handler, so that a method has one implementation.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from boxoffice.rest.v1 import batch_pb2, batch_pb2_grpc, rest_pb2
from services.kit import context, interceptors
from services.kit.authentication import Authenticator, Caller
from services.kit.call_log import CallLog
from services.kit.callers import Rule
from services.kit.errors import Busy, Refusal, ValidationFailed, Violation, status_of
from services.kit.interceptors import Method, ServicerContext

SERVICE = batch_pb2.DESCRIPTOR.services_by_name["BatchService"].full_name
RequestT = TypeVar("RequestT", bound=Message)
ResponseT = TypeVar("ResponseT", bound=Message)
AskedT = TypeVar("AskedT")
DecidedT = TypeVar("DecidedT")


@dataclass(frozen=True, slots=True)
class Item(Generic[RequestT]):
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
    """Answers a call of its own, which the layers have admitted; raises its refusal."""
    item = Item(request, context.caller.get(), context.request_id.get())
    [outcome] = await handler([item], skip_busy=False)
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, bytes):
        return response.FromString(outcome)
    if not isinstance(outcome, response):
        raise TypeError(f"{type(outcome)} is no {response}")
    return outcome


async def decide_admitted(
    asked: Sequence[AskedT | Refusal],
    decide: Callable[[Sequence[AskedT]], Awaitable[Sequence[DecidedT]]],
) -> list[DecidedT | Refusal]:
    """Decides together what is asked; what is refused already keeps its refusal and its place."""
    admitted = [each for each in asked if not isinstance(each, Refusal)]
    decided = iter(await decide(admitted) if admitted else ())
    return [each if isinstance(each, Refusal) else next(decided) for each in asked]


def one_by_one(answer: Callable[[Item[Any]], Awaitable[Message]]) -> Handler:
    """Makes a handler of what answers one item, for methods that cannot share their work yet.

    In a batch that is to skip what is busy all its items are, as nobody knows for how long each
    would hold up the others.
    """

    async def handle(items: Sequence[Item[Any]], /, *, skip_busy: bool) -> Sequence[Outcome]:
        if skip_busy:
            return [Busy()] * len(items)
        return [await _caught(answer(item)) for item in items]

    return handle


class BatchServicer(batch_pb2_grpc.BatchServiceServicer):
    """Answers batches by the handlers of their methods.

    Raises ValueError unless these are the batched methods of their services.
    """

    def __init__(
        self, authenticator: Authenticator, handlers: Mapping[str, Handler], *, log_sample: float
    ) -> None:
        _expect_batched(handlers)
        self._authenticator = authenticator
        self._methods = {
            path: _batched(path, handler, log_sample) for path, handler in handlers.items()
        }
        self._unknown = _unknown(log_sample)

    async def Batch(  # noqa: N802 - named by the contract
        self, request: batch_pb2.BatchRequest, _: ServicerContext
    ) -> batch_pb2.BatchResponse:
        """See batch.proto."""
        started = time.perf_counter()
        entries = [self._entry(item) for item in request.items]
        try:
            await self._admit(entries, [item.authorization for item in request.items])
            await _answer(entries, skip_busy=request.skip_busy)
        except asyncio.CancelledError:
            for entry in entries:
                entry.method.calls.abandoned()
            raise
        seconds = time.perf_counter() - started
        return _response(entries, seconds, skip_busy=request.skip_busy)

    def _entry(self, item: batch_pb2.BatchItem) -> "_Entry":
        method = self._methods.get(item.method, self._unknown)
        return _Entry(method, item.request, interceptors.fit_request_id(item.request_id))

    async def _admit(self, entries: Sequence["_Entry"], authorizations: Sequence[str]) -> None:
        """Reads the items, and refuses those that a call of its own would be refused for."""
        callers = await self._authenticator.authenticate_all(authorizations)
        for entry, caller in zip(entries, callers, strict=True):
            if isinstance(caller, Refusal):
                entry.outcome = caller
                continue
            try:
                self._authenticator.admit(caller, entry.method.described.rule)
            except Refusal as refusal:
                entry.outcome = refusal
            else:
                entry.read(caller)


@dataclass(frozen=True, slots=True, eq=False)
class _Batched:
    """A method of batches: how its items are admitted, read, answered and recorded."""

    described: Method
    read: Callable[[bytes], Message | None]
    handler: Handler
    calls: CallLog

    async def answer(self, entries: Sequence["_Entry"], *, skip_busy: bool) -> None:
        """Answers entries; a handler that fails, fails for all of them."""
        try:
            outcomes = await self.handler([entry.item for entry in entries], skip_busy=skip_busy)
            for entry, outcome in zip(entries, outcomes, strict=True):
                entry.outcome = outcome
        except Exception as error:  # noqa: BLE001 - as for a call of its own
            refusal = interceptors.refusal_of(error, self.described)
            for entry in entries:
                entry.outcome = refusal


class _Entry:
    """An item on its way: first its bytes, then the item, then its outcome."""

    __slots__ = ("item", "method", "outcome", "request_id", "sent")

    item: Item[Any]

    def __init__(self, method: _Batched, sent: bytes, request_id: str) -> None:
        self.method = method
        self.sent = sent
        self.request_id = request_id
        self.outcome: Outcome | None = None

    def read(self, caller: Caller) -> None:
        """Reads and validates the request."""
        request: Any = self.method.read(self.sent)
        self.outcome = interceptors.objection(request)
        if self.outcome is None:
            self.item = Item(request, caller, self.request_id)


async def _caught(answering: Awaitable[Message]) -> Outcome:
    try:
        return await answering
    except Exception as error:  # noqa: BLE001 - it is the outcome of this item alone
        return error


async def _answer(entries: Iterable[_Entry], *, skip_busy: bool) -> None:
    """Hands the admitted entries to their methods' handlers, which run beside each other."""
    admitted: dict[_Batched, list[_Entry]] = {}
    for entry in entries:
        if entry.outcome is None:
            admitted.setdefault(entry.method, []).append(entry)
    if len(admitted) == 1:  # no task is made for it: most batches are of one method
        [(method, all_entries)] = admitted.items()
        await method.answer(all_entries, skip_busy=skip_busy)
        return
    async with asyncio.TaskGroup() as group:
        for method, some in admitted.items():
            group.create_task(method.answer(some, skip_busy=skip_busy))


def _response(
    entries: Iterable[_Entry], seconds: float, *, skip_busy: bool
) -> batch_pb2.BatchResponse:
    """Writes and records the outcomes."""
    response = batch_pb2.BatchResponse()
    statuses: dict[Refusal, bytes] = {}
    for entry in entries:
        result, outcome, calls = response.results.add(), entry.outcome, entry.method.calls
        if isinstance(outcome, Busy) and skip_busy:
            result.busy = True  # not recorded: it is asked again
        elif isinstance(outcome, Exception):
            refusal = interceptors.refusal_of(outcome, entry.method.described)
            if refusal not in statuses:
                # Items that are refused alike share their refusal.
                statuses[refusal] = status_of(refusal).SerializeToString()
            result.error = statuses[refusal]
            calls.refused(entry.request_id, refusal, seconds)
        else:
            result.response = _bytes(outcome)
            calls.answered(entry.request_id, seconds)
    return response


def _bytes(outcome: Message | bytes | None) -> bytes:
    if isinstance(outcome, bytes):
        return outcome
    if outcome is None:
        raise TypeError("an item without an outcome")
    return outcome.SerializeToString()


def _batched(path: str, handler: Handler, log_sample: float) -> _Batched:
    request = GetMessageClass(interceptors.find(path).input_type)
    read = interceptors.reading(request.FromString)
    return _Batched(interceptors.describe(path), read, handler, CallLog(path, log_sample))


def _unknown(log_sample: float) -> _Batched:
    """Stands for the methods that have no handler; their items count as those of Batch itself."""
    path = f"/{SERVICE}/Batch"
    method = Method(path, Rule(rest_pb2.ACCESS_PUBLIC), is_read=True)
    return _Batched(method, lambda _: Empty(), _refuse, CallLog(path, log_sample))


async def _refuse(items: Sequence[Item[Any]], /, **_: bool) -> Sequence[Outcome]:
    refusal = ValidationFailed(violations=[Violation("method", "is not a batched method")])
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
