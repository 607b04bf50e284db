"""Spans of requests."""

from gateway.http import metrics
from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import Route
from services.kit.rpc import context
from services.kit.rpc.spans import Spans

CANCELLED = "cancelled"


class Traces:
    """Makes a span of each request, in the trace of the client if the header `traceparent` has one.

    Calls of services that are made for the request belong to it.
    """

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        method = route.method if route.method in metrics.METHODS else "other"
        name = f"{method} {route.template}"

        async def traced(request: Request) -> Response:
            given = request.headers.get(b"traceparent", b"").decode("latin-1")
            span = self._spans.begin(name, traceparent=given, request_id=request.request_id)
            context.traceparent.set(span.traceparent)
            outcome, is_failure = CANCELLED, False
            try:
                response = await handle(request)
                outcome, is_failure = str(response.status), response.status >= 500
                return response
            finally:
                span.end(outcome, is_failure=is_failure)

        return traced
