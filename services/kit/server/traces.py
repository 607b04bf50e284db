"""Spans of calls: the layer that makes them, and those of the items of a batch."""

import asyncio
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from boxoffice.rest.v1 import batch_pb2
from services.kit.rpc import context, errors
from services.kit.rpc.spans import Span, Spans
from services.kit.server.call_log import TROUBLE
from services.kit.server.interceptors import Method, ServicerContext, Unary, metadata_of

OK, BUSY, CANCELLED = "OK", "BUSY", "CANCELLED"


class Traces:
    """Makes a span of each call; those of a batch have their own, and it has none."""

    def __init__(self, spans: Spans, *, without: str) -> None:
        self._spans = spans
        self._without = without

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        if method.path == self._without:
            return behaviour

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            span = self._spans.begin(
                method.path,
                traceparent=metadata_of(call_context).get("traceparent", ""),
                request_id=context.request_id.get(),
            )
            context.traceparent.set(span.traceparent)
            try:
                response = await behaviour(request, call_context)
            except errors.Refusal as refusal:
                span.end(refusal.reason, is_failure=refusal.reason in _FAILURES)
                raise
            except asyncio.CancelledError:
                span.end(CANCELLED, is_failure=False)
                raise
            span.end(OK, is_failure=False)
            return response

        return call


def of_items(spans: Spans, items: Sequence[batch_pb2.BatchItem]) -> Sequence[Span]:
    """Begins a span of each item of a batch."""
    return [
        spans.begin(item.method, traceparent=item.traceparent, request_id=item.request_id)
        for item in items
    ]


def end_items(spans: Sequence[Span], results: Sequence[batch_pb2.BatchResult]) -> None:
    """Ends the spans of items; those without a result were cancelled."""
    for span, result in zip(spans, results, strict=False):
        outcome = _outcome(result)
        span.end(outcome, is_failure=outcome in _FAILURES)


def _outcome(result: batch_pb2.BatchResult) -> str:
    if result.HasField("error"):
        refusal = errors.refusal_from_status(Status.FromString(result.error))
        return refusal.reason if refusal else errors.Internal.reason
    if result.HasField("response"):
        return OK
    return BUSY if result.busy else CANCELLED


_FAILURES = frozenset(each.reason for each in TROUBLE)
