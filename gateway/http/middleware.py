"""What happens around every route, outermost first: see `layers`. Each wraps a route once."""

import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from gateway.http import errors, metrics
from gateway.http.capacity import Capacity
from gateway.http.conditional import Representations
from gateway.http.cors import Origins
from gateway.http.headers import accepts
from gateway.http.location import Location
from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import UNMATCHED, Route
from services.kit.process.logging import sampled
from services.kit.rpc.errors import Internal, Refusal

log = structlog.get_logger()

# What goes wrong goes wrong often: more lines would tell nothing new, and cost what is scarce then.
TROUBLE_LINES_PER_SECOND = 20


class Layer(Protocol):
    """Something that happens around every route."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """Makes the handler of a route out of that of the layers inside it."""


def layers(
    *,
    log_sample: float,
    slow_seconds: float,
    most_requests: int,
    log_requests: bool = False,
    origins: Sequence[str] = (),
) -> Sequence[Layer]:
    """Lists the layers, outermost first; `origins` are those whose pages may call."""
    return (
        AccessLog(log_sample, slow_seconds, log_requests=log_requests),
        *((Origins(origins),) if origins else ()),
        Representations(),
        Refusals(),
        Capacity(most_requests),
        Negotiation(),
    )


class AccessLog:
    """Counts and times every request; logs the failed, the slow, and a share of the others.

    Of the failed and the slow no more than 20 a second are logged, and that share of the rest.
    With `log_requests` each request is logged, and with its path as it was sent.
    """

    def __init__(
        self, log_sample: float, slow_seconds: float, *, log_requests: bool = False
    ) -> None:
        self._log_requests = log_requests
        self._log_sample = log_sample
        self._slow_seconds = slow_seconds
        self._second = 0
        self._lines = 0

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        method = route.method if route.method in metrics.METHODS else "other"
        seconds = metrics.SECONDS.labels(route.template, method)
        answered = {}

        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            response = await handle(request)
            elapsed = time.perf_counter() - started
            status = response.status
            if status not in answered:
                answered[status] = metrics.REQUESTS.labels(route.template, method, status)
            answered[status].inc()
            seconds.observe(elapsed)
            if self._log_requests:
                _write(request, route, status, elapsed, path=_sent_path(request))
            elif self._is_worth_a_line(request, status, elapsed):
                _write(request, route, status, elapsed)
            return response

        return observed

    def _is_worth_a_line(self, request: Request, status: int, elapsed: float) -> bool:
        is_trouble = status >= 500 or elapsed >= self._slow_seconds
        if is_trouble and self._has_room():
            return True
        return sampled(request.request_id, self._log_sample)

    def _has_room(self) -> bool:
        """Counts a line of trouble; tells whether this second may have one more."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        return self._lines <= TROUBLE_LINES_PER_SECOND


class Refusals:
    """Turns a refusal into its response, and a defect of ours into one that tells nothing."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        location = Location(route.location)

        async def refused(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                return errors.response(refusal, location)
            except Exception:
                log.exception("failed", request_id=request.request_id, route=route.template)
                return errors.response(Internal())

        return refused


class Negotiation:
    """Refuses a client that does not accept what the route answers with."""

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        if route.template == UNMATCHED:
            return handle

        async def negotiated(request: Request) -> Response:
            accept = request.headers.get(b"accept", b"*/*")
            if accept != b"*/*" and not accepts(accept, route.media_type):
                raise errors.NotAcceptable
            return await handle(request)

        return negotiated


def _sent_path(request: Request) -> str:
    query = request.query.decode("latin-1")
    return f"{request.path}?{query}" if query else request.path


def _write(request: Request, route: Route, status: int, elapsed: float, **more: str) -> None:
    log.info(
        "answered",
        request_id=request.request_id,
        method=request.method,
        route=route.template,
        status=status,
        duration_ms=round(elapsed * 1000, 3),
        **more,
    )
