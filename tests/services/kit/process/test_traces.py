import sys
import threading

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.events.settings import Settings
from services.kit.process.environment import SettingsError
from services.kit.process.traces import OpenTelemetry

VALUES = {"database_url": "postgresql://a@localhost/b", "listen": "127.0.0.1:0"}


def settings(url: str) -> Settings:
    """Returns the settings of a service with a collector at `url`."""
    return Settings.model_validate({**VALUES, "BOXOFFICE_TRACES_URL": url})


def test_traces_are_off_unless_there_is_a_collector() -> None:
    """Every request could pay for traces that nobody reads."""
    assert settings("").open_spans() is None


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator could get a traceback, or no traces without a word."""
    monkeypatch.setitem(sys.modules, "services.kit.process.traces", None)
    with pytest.raises(SettingsError, match="needs the extra `tracing`"):
        settings("http://127.0.0.1:4317").open_spans()


def test_a_collector_that_is_down_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process could be killed before it has finished its requests."""
    answers = threading.Event()
    processor = SimpleSpanProcessor(InMemorySpanExporter())
    monkeypatch.setattr(processor, "shutdown", answers.wait)
    monkeypatch.setattr("services.kit.process.traces.CLOSE_SECONDS", 0.05)
    OpenTelemetry("test", processor, share=1).close()
    assert not answers.is_set()
    answers.set()


def test_a_library_that_is_switched_off_breaks_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request could be a 500, for a variable that OpenTelemetry reads by itself."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    spans = OpenTelemetry("test", SimpleSpanProcessor(InMemorySpanExporter()), share=1)
    span = spans.begin("GET /", traceparent="", request_id="r1")
    assert not span.traceparent
    span.end("OK", is_failure=False)
