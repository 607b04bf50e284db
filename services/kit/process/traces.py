"""Traces with OpenTelemetry, sent to a collector: an extra, and slow to import."""

import threading
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from services.kit.rpc.spans import Span

CLOSE_SECONDS = 2.0


class OpenTelemetry:
    """Makes spans for `processor`; `share` of the traces that begin here are recorded.

    A trace that began elsewhere is recorded if that was decided there. See Spans.
    """

    def __init__(self, name: str, processor: SpanProcessor, *, share: float) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: name}),
            sampler=ParentBased(TraceIdRatioBased(share)),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("boxoffice")

    def begin(self, name: str, *, traceparent: str, request_id: str) -> "Span":
        """See Spans."""
        caller = _FORMAT.extract({_HEADER: traceparent}) if traceparent else None
        attributes = {"boxoffice.request_id": request_id}
        kind = trace.SpanKind.SERVER
        return _Span(self._tracer.start_span(name, caller, kind, attributes))

    def close(self) -> None:
        """See Spans."""
        # The library waits for a collector that is down for up to 30 s.
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def to_collector(name: str, url: str, *, share: float) -> OpenTelemetry:
    """Returns what sends spans to the collector at `url`, over OTLP with gRPC."""
    exporter = OTLPSpanExporter(url, timeout=CLOSE_SECONDS)
    return OpenTelemetry(name, BatchSpanProcessor(exporter), share=share)


class _Span:
    """See Span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """See Span."""
        headers: dict[str, str] = {}
        _FORMAT.inject(headers, trace.set_span_in_context(self._span))
        # None is written if the library is switched off (OTEL_SDK_DISABLED).
        return headers.get(_HEADER, "")

    def end(self, outcome: str, *, is_failure: bool) -> None:
        """See Span."""
        self._span.set_attribute("boxoffice.outcome", outcome)
        if is_failure:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


_FORMAT = TraceContextTextMapPropagator()
_HEADER = "traceparent"
