"""The layers that every call passes, outermost first: see `layers`.

Each layer wraps a method once, at its first call, so later calls cost no more than functions.
"""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from boxoffice.methods import is_read
from services.kit.auth.authentication import Authenticator
from services.kit.database import postgres
from services.kit.rpc import context, errors
from services.kit.rpc.callers import Caller, Rule, rule_of
from services.kit.rpc.validation import violations
from services.kit.server.call_log import CallLog

ServicerContext = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, ServicerContext], Awaitable[Message | None]]
Stream = Callable[[Any, ServicerContext], AsyncGenerator[Message, None]]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC of Boxoffice: `/boxoffice.x.v1.XService/GetY`, and who may call it."""

    path: str
    rule: Rule
    is_read: bool
    is_stream: bool = False
    """Whether it streams responses."""


class Layer(Protocol):
    """A layer around every call."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """Wraps the behaviour of a method, which includes that of the inner layers."""


def layers(
    authenticator: Authenticator, *, log_sample: float, traces: Sequence[Layer] = ()
) -> Sequence[Layer]:
    """Lists the layers of every service, outermost first; that of `traces` if they are on."""
    return (
        RequestContext(),
        AccessLog(log_sample),
        *traces,
        Errors(),
        Authentication(authenticator),
        Validation(),
    )


class RequestContext:
    """Sets the request's id and deadline, for logs and for calls made on its behalf."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            metadata = metadata_of(call_context)
            context.request_id.set(fit_request_id(metadata.get("x-request-id", "")))
            context.set_deadline(call_context.time_remaining())
            return await behaviour(request, call_context)

        return call


def fit_request_id(given: str) -> str:
    """Returns the request id of the caller, or a new one if that is missing or unfit for logs."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class AccessLog:
    """Counts and times every call, and logs a share of the successes."""

    def __init__(self, log_sample: float) -> None:
        self._log_sample = log_sample

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        calls = CallLog(method.path, self._log_sample)

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            started = time.perf_counter()
            request_id = context.request_id.get()
            try:
                response = await behaviour(request, call_context)
            except errors.Refusal as refusal:
                calls.refused((request_id,), refusal, time.perf_counter() - started)
                await errors.abort(call_context, refusal)
                raise
            except asyncio.CancelledError:
                calls.abandoned()
                raise
            calls.answered((request_id,), time.perf_counter() - started)
            return response

        return call


class Errors:
    """Converts exceptions to refusals, so that no text of an exception leaves the process."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            try:
                return await behaviour(request, call_context)
            except errors.Refusal:
                raise
            except Exception as error:
                raise refusal_from_exception(error, method) from error

        return call


def refusal_from_exception(error: Exception, method: Method) -> errors.Refusal:
    """Returns the refusal that an exception of a method means; logs unexpected exceptions."""
    if isinstance(error, errors.Refusal):
        return error
    refusal = postgres.refusal_from_database(error, is_read=method.is_read)
    if refusal is None:
        log.error("failed", method=method.path, exc_info=error)
        return errors.Internal()
    log.warning("database refused", method=method.path, error=str(error).strip())
    return refusal


class Authentication:
    """Authenticates the caller, and refuses callers that the method does not admit."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        authenticator = self._authenticator

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            authorization = metadata_of(call_context).get("authorization")
            caller = authenticator.cached(authorization)
            if caller is None:
                caller = await authenticator.authenticate(authorization)
            authenticator.admit(caller, method.rule)
            context.caller.set(caller)
            return await behaviour(request, call_context)

        return call


class Validation:
    """Refuses a request that breaks a rule of the contract, or that cannot be parsed."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            if refusal := objection(request, context.caller.get()):
                raise refusal
            return await behaviour(request, call_context)

        return call


def objection(request: Message | None, caller: Caller) -> errors.ValidationFailed | None:
    """Returns the refusal of an invalid request; the request None stands for malformed bytes."""
    if request is None:
        return errors.ValidationFailed(violations=[_NO_MESSAGE])
    found = violations(request, has_account=caller.subject is not None)
    return errors.ValidationFailed(violations=found) if found else None


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts the layers around every RPC of Boxoffice, but not around health and reflection.

    A stream of responses is to the layers one call that takes its time.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = layers
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Finds the wrapped handler of a method; see grpc.aio.ServerInterceptor."""
        path = handler_call_details.method
        if path not in self._handlers:
            handler = await continuation(handler_call_details)
            if handler is None or not path.startswith("/boxoffice."):
                return handler
            self._handlers[path] = self._wrapped(path, handler)
        return self._handlers[path]

    def _wrapped(self, path: str, handler: Handler) -> Handler:
        if handler.request_streaming:
            raise TypeError(f"{path} takes a stream, and no layer guards it")
        if handler.response_streaming:
            make: Any = grpc.unary_stream_rpc_method_handler
            behaviour = _written(cast(Stream, handler.unary_stream))
        else:
            make = grpc.unary_unary_rpc_method_handler
            behaviour = cast(Unary, handler.unary_unary)
        method = describe(path)
        for layer in reversed(self._layers):
            behaviour = layer.wrap(method, behaviour)
        read = lenient_deserializer(cast(Callable[[bytes], Message], handler.request_deserializer))
        return cast(Handler, make(behaviour, read, handler.response_serializer))


def lenient_deserializer(parse: Callable[[bytes], Message]) -> Callable[[bytes], Message | None]:
    """Wraps a deserializer to return None for malformed bytes.

    gRPC would tell clients the class of an exception that is raised here.
    """

    def read(sent: bytes) -> Message | None:
        try:
            return parse(sent)
        except DecodeError:
            return None

    return read


def _written(behaviour: Stream) -> Unary:
    """Wraps a stream as a call that writes the responses and returns none."""

    async def call(request: Any, call_context: ServicerContext) -> None:
        # Closed at once when the caller goes away, not when its memory is collected.
        async with contextlib.aclosing(behaviour(request, call_context)) as responses:
            async for response in responses:
                await call_context.write(response)

    return call


def describe(path: str) -> Method:
    """Reads from the contract what the layers must know of `/package.Service/Method`.

    Raises ValueError for a method that does not say who may call it.
    """
    descriptor = find(path)
    is_stream = descriptor.server_streaming
    return Method(path, rule_of(descriptor), is_read(descriptor), is_stream)


def find(path: str) -> MethodDescriptor:
    """Finds `/package.Service/Method` in the contract; raises KeyError."""
    service, _, name = path.lstrip("/").partition("/")
    return descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)


def metadata_of(call_context: ServicerContext) -> Mapping[str, str]:
    """Returns the metadata of a call that is text."""
    metadata = call_context.invocation_metadata() or ()
    return {key: value for key, value in metadata if isinstance(value, str)}


# The id is in every log line, and in the metadata of calls to other services.
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_NO_MESSAGE = errors.Violation("", "is not a message of the request's type")
