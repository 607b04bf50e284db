"""The outermost layer: refuses calls that are too many. Streams last, so they are counted apart."""

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from services.kit.server.interceptors import Method, ServicerContext, Unary


class Capacity:
    """Refuses calls while `calls` others run, and streams while `streams` others do."""

    def __init__(self, *, calls: int, streams: int) -> None:
        self._calls = _Counted(calls)
        self._streams = _Counted(streams)

    def wrap(self, method: Method, behaviour: Unary) -> Unary:
        """See Layer."""
        counted = self._streams if method.is_stream else self._calls

        async def call(request: Any, call_context: ServicerContext) -> Message | None:
            if counted.running >= counted.limit:
                await call_context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls")
            counted.running += 1
            try:
                return await behaviour(request, call_context)
            finally:
                counted.running -= 1

        return call


@dataclass(slots=True)
class _Counted:
    """How many calls may run at once, and how many do."""

    limit: int
    running: int = 0
