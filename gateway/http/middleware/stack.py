"""The middleware around every route, and its order."""

from collections.abc import Sequence
from typing import Protocol

from gateway.http.messages import Handler
from gateway.http.middleware.access_log import AccessLog
from gateway.http.middleware.capacity import Capacity
from gateway.http.middleware.cors import Cors
from gateway.http.middleware.error_responses import ErrorResponses
from gateway.http.middleware.negotiation import ContentNegotiation
from gateway.http.middleware.representations import Representations
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.middleware.strict_transport import StrictTransport
from gateway.http.middleware.traces import Traces
from gateway.http.routing import Route
from services.kit.rpc.spans import Spans


class Middleware(Protocol):
    """Wraps the handler of every route, once, when the application starts."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """Returns a handler that calls `handle`, which includes the middleware further in."""


def middleware_stack(
    *,
    log_sample: float,
    slow_seconds: float,
    max_requests: int,
    streams: StreamLimit,
    log_requests: bool = False,
    hsts_seconds: int = 0,
    cors_origins: Sequence[str] = (),
    spans: Spans | None = None,
) -> Sequence[Middleware]:
    """Returns the middleware, outermost first; without `cors_origins` there is no CORS.

    Without `hsts_seconds` browsers are free to use HTTP; without `spans` there are no traces.
    """
    return (
        *((Traces(spans),) if spans else ()),
        AccessLog(log_sample, slow_seconds, log_requests=log_requests),
        *((StrictTransport(hsts_seconds),) if hsts_seconds else ()),
        *((Cors(cors_origins),) if cors_origins else ()),
        Representations(),
        ErrorResponses(),
        Capacity(max_requests),
        streams,
        ContentNegotiation(),
    )
