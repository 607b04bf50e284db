"""The interface to traces. Where they are off there is no `Spans`, and nothing is done."""

from typing import Protocol


class Span(Protocol):
    """The time that a process spends on a request, in the trace of that request."""

    @property
    def traceparent(self) -> str:
        """Where calls that are made meanwhile belong, as the W3C header of this name has it."""

    def end(self, outcome: str, *, is_failure: bool) -> None:
        """Ends the span; `outcome` is `OK`, a reason or a status."""


class Spans(Protocol):
    """Makes spans, and sends them somewhere when they have ended."""

    def begin(self, name: str, *, traceparent: str, request_id: str) -> Span:
        """Begins a span in the trace of the caller, or a new trace if that has none."""

    def close(self) -> None:
        """Sends what was not sent yet, for two seconds at most. Blocks."""
