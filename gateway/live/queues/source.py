"""Where positions come from: who waits, and what became of the holders of tokens."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc

from boxoffice.bookings.v1 import queue_pb2, queue_pb2_grpc
from gateway.http.headers import request_id
from gateway.live.source import reading
from gateway.rpc import failures
from gateway.rpc.call import CallContext, metadata_of

MOST_TOKENS = 5_000
"""Tokens in one report."""


class QueueSource:
    """Watches queues in bookings; a response has `seconds` to come where one is due."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float) -> None:
        stub = queue_pb2_grpc.QueueLineServiceStub(channel)
        self._watch: Any = stub.WatchQueue
        self._report: Any = stub.ReportPresence
        self.seconds = seconds

    async def watch(self, event_id: int) -> AsyncGenerator[queue_pb2.WatchQueueResponse, None]:
        """Yields who waits, and then every change. Raises Refusal."""
        request = queue_pb2.WatchQueueRequest(event_id=event_id)
        call = self._watch(request, metadata=_metadata())
        with reading(call):
            async with asyncio.timeout(self.seconds):
                response = await call.read()
            while response is not grpc.aio.EOF:
                yield response
                response = await call.read()

    async def report(self, event_id: int, tokens: Sequence[str]) -> Sequence[queue_pb2.HeldPlace]:
        """Reports that the holders of tokens are there; returns their places. Raises Refusal."""
        request = queue_pb2.ReportPresenceRequest(event_id=event_id, queue_tokens=tokens)
        try:
            response = await self._report(request, timeout=self.seconds, metadata=_metadata())
        except grpc.aio.AioRpcError as error:
            # Reporting twice is like reporting once.
            raise failures.refusal_of(error, is_read=True) from error
        places: Sequence[queue_pb2.HeldPlace] = response.places
        return places


def _metadata() -> tuple[tuple[str, str], ...]:
    return metadata_of(CallContext(request_id(None), ""))
