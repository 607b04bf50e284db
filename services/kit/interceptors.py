"""The layers that every call passes, outermost first: see `layers`.

Each wraps a method once, when it is first called, so a call pays for no more than the functions.
"""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError, Message

from services.kit import context, errors, metrics, postgres
from services.kit.authentication import Authenticator
from services.kit.callers import Rule, rule_of
from services.kit.logging import sampled
from services.kit.validation import violations

ServicerContext = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, ServicerContext], Awaitable[Message | None]]
Stream = Callable[[Any, ServicerContext], AsyncIterator[Message]]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Method:
    """An RPC of Boxoffice: `/boxoffice.x.v1.XService/GetY`, who may call it, whether it reads."""

    path: str
    rule: Rule
    is_read: bool


class Layer(Protocol):
    """Something that happens around every call."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """Makes the behaviour of a method out of that of the layers inside it."""


def layers(authenticator: Authenticator, *, log_sample: float) -> Sequence[Layer]:
    """Lists the layers of every service, outermost first."""
    return (
        RequestContext(),
        AccessLog(log_sample),
        Errors(),
        Authentication(authenticator),
        Validation(),
    )


class RequestContext:
    """Notes the request's id and deadline for logs and for calls made on its behalf."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            metadata = _metadata(call_context)
            given = metadata.get("x-request-id", "")
            context.request_id.set(given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex)
            context.set_deadline(call_context.time_remaining())
            return await behaviour(request, call_context)

        return call


class AccessLog:
    """Counts and times every call, and logs a share of those that went well."""

    def __init__(self, log_sample: float) -> None:
        self._log_sample = log_sample

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        answered = metrics.CALLS.labels(method.path, "OK", "")
        abandoned = metrics.CALLS.labels(method.path, "CANCELLED", "")
        seconds = metrics.SECONDS.labels(method.path)

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            started = time.perf_counter()
            try:
                response = await behaviour(request, call_context)
            except errors.Refusal as refusal:
                self._refused(method, refusal, time.perf_counter() - started)
                await errors.abort(call_context, refusal)
                raise
            except asyncio.CancelledError:
                abandoned.inc()
                raise
            elapsed = time.perf_counter() - started
            answered.inc()
            seconds.observe(elapsed)
            if sampled(context.request_id.get(), self._log_sample):
                log.info("answered", method=method.path, seconds=round(elapsed, 6))
            return response

        return call

    def _refused(self, method: Method, refusal: errors.Refusal, elapsed: float) -> None:
        metrics.CALLS.labels(method.path, refusal.code.name, refusal.reason).inc()
        metrics.SECONDS.labels(method.path).observe(elapsed)
        if isinstance(refusal, _TROUBLE) or sampled(context.request_id.get(), self._log_sample):
            seconds = round(elapsed, 6)
            log.info("refused", method=method.path, reason=refusal.reason, seconds=seconds)


class Errors:
    """Turns what goes wrong into a refusal, so that no text of an exception leaves the process."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            try:
                return await behaviour(request, call_context)
            except errors.Refusal:
                raise
            except Exception as error:
                refusal = postgres.refusal_of(error, is_read=method.is_read)
                if refusal is None:
                    log.exception("failed", method=method.path)
                    raise errors.Internal from error
                log.warning("database refused", method=method.path, error=str(error).strip())
                raise refusal from error

        return call


class Authentication:
    """Finds out who calls, and whether the method admits them."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        authenticator = self._authenticator

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            authorization = _metadata(call_context).get("authorization")
            caller = authenticator.known(authorization)
            if caller is None:
                caller = await authenticator.authenticate(authorization)
            authenticator.admit(caller, method.rule)
            context.caller.set(caller)
            return await behaviour(request, call_context)

        return call


class Validation:
    """Refuses a request that breaks a rule of the contract, or is not even of its type."""

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            if request is None:
                raise errors.ValidationFailed(violations=[_NO_MESSAGE])
            has_account = context.caller.get().subject is not None
            if found := violations(request, has_account=has_account):
                raise errors.ValidationFailed(violations=found)
            return await behaviour(request, call_context)

        return call


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts the layers around every RPC of Boxoffice; health and reflection pass untouched.

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
        read = _reading(cast(Callable[[bytes], Message], handler.request_deserializer))
        return cast(Handler, make(behaviour, read, handler.response_serializer))


def _reading(parse: Callable[[bytes], Message]) -> Callable[[bytes], Message | None]:
    """Makes what reads a request, and gives None for bytes that are none of its type.

    What gRPC makes of an exception here tells clients its class.
    """

    def read(sent: bytes) -> Message | None:
        try:
            return parse(sent)
        except DecodeError:
            return None

    return read


def _written(behaviour: Stream) -> Unary:
    """Makes one call out of a stream: it writes the responses and gives none."""

    async def call(request: Any, call_context: ServicerContext) -> None:
        async for response in behaviour(request, call_context):
            await call_context.write(response)

    return call


def describe(path: str) -> Method:
    """Reads from the contract what the layers must know of `/package.Service/Method`.

    Raises ValueError for a method that does not say who may call it.
    """
    service, _, name = path.lstrip("/").partition("/")
    descriptor = descriptor_pool.Default().FindServiceByName(service).FindMethodByName(name)
    return Method(path, rule_of(descriptor), name.startswith(("Get", "List", "BatchGet", "Watch")))


# It goes into every log line, and into the metadata of calls to other services.
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_NO_MESSAGE = errors.Violation("", "is not a message of the request's type")
_TROUBLE = (errors.Internal, errors.Unavailable, errors.OutcomeUnknown)


def _metadata(call_context: ServicerContext) -> Mapping[str, str]:
    metadata = call_context.invocation_metadata() or ()
    return {key: value for key, value in metadata if isinstance(value, str)}
