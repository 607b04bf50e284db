"""Calling an RPC whose responses are streamed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from gateway.contract.bindings import Binding
from gateway.rpc import failures
from gateway.rpc.call import CallContext, metadata_of
from services.kit.rpc.errors import OutcomeUnknown, Refusal


class ServiceStream:
    """The messages of a streaming RPC, of which the first has arrived; see MessageStream.

    A message is fetched when it is asked for, so a client that reads slowly slows the service.
    """

    def __init__(self, call: Any, first: Any, *, is_read: bool) -> None:
        self.first = first
        self._call = call
        self._is_read = is_read
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        """See MessageStream. Raises Refusal if the RPC fails."""
        message = self.first
        while message is not None and not self._is_closed:
            yield message
            message = await self._next()

    def close(self) -> None:
        """See MessageStream."""
        self._is_closed = True
        self._call.cancel()

    async def _next(self) -> Any:
        try:
            return _message(await self._call.read())
        except asyncio.CancelledError:
            if self._is_closed:
                return None  # The call was cancelled, not the task that reads it.
            raise
        except grpc.aio.AioRpcError as error:
            raise failures.refusal_of(error, is_read=self._is_read) from error


class StreamingCall:
    """A streaming RPC: its outcome is a ServiceStream, or a refusal; see Call.

    It has no deadline except for its first message, and is not repeated: a client that wants to go
    on after an interruption connects again.
    """

    def __init__(
        self, binding: Binding, channel: grpc.aio.Channel, *, first_seconds: float
    ) -> None:
        self._rpc = channel.unary_stream(
            binding.rpc_path,
            request_serializer=GetMessageClass(binding.rpc.input_type).SerializeToString,
            response_deserializer=GetMessageClass(binding.rpc.output_type).FromString,
        )
        self._is_read = binding.is_read
        self._first_seconds = first_seconds

    async def __call__(self, request: Any, context: CallContext) -> ServiceStream | Refusal:
        """See Call."""
        call = self._rpc(request, metadata=metadata_of(context))
        try:
            async with asyncio.timeout(self._first_seconds):
                first = _message(await call.read())
        except TimeoutError:
            return OutcomeUnknown()
        except grpc.aio.AioRpcError as error:
            return failures.refusal_of(error, is_read=self._is_read)
        return ServiceStream(call, first, is_read=self._is_read)


def _message(read: Any) -> Any:
    """Returns what was read from a call, or None at its end."""
    return None if read is grpc.aio.EOF else read
