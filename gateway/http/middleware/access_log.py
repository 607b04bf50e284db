"""Metrics and log lines of requests."""

import re
import time

import structlog

from gateway.http import metrics
from gateway.http.messages import Handler, Request, Response
from gateway.http.routing import Route
from services.kit.process.logging import is_sampled

log = structlog.get_logger()

_SECRET = re.compile(r"((?:^|&)queue_token=)[^&]*")
"""What is worth a place in a queue, and so is in no log."""
TROUBLE_LINES_PER_SECOND = 20
"""Failures come in thousands: more lines would add nothing, and cost what is scarce then."""


class AccessLog:
    """Counts and times every request; logs the failed, the slow, and a sample of the others.

    Of the failed and the slow at most 20 a second are logged, and a sample of the rest. A stream is
    never slow, as its client may wait for its head. With `log_requests` every request is logged,
    with its path as it was sent, but for tokens of queues.
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
        """See Middleware."""
        method = route.method if route.method in metrics.METHODS else "other"
        seconds = metrics.SECONDS.labels(route.template, method)
        counters = {}

        async def observed(request: Request) -> Response:
            started = time.perf_counter()
            response = await handle(request)
            elapsed = time.perf_counter() - started
            status = response.status
            if status not in counters:
                counters[status] = metrics.REQUESTS.labels(route.template, method, status)
            counters[status].inc()
            seconds.observe(elapsed)
            if self._log_requests:
                _write(request, route, status, elapsed, path=_sent_path(request))
            elif self._is_logged(request, status, 0 if route.is_stream else elapsed):
                _write(request, route, status, elapsed)
            return response

        return observed

    def _is_logged(self, request: Request, status: int, elapsed: float) -> bool:
        is_trouble = status >= 500 or elapsed >= self._slow_seconds
        if is_trouble and self._has_room():
            return True
        return is_sampled(request.request_id, self._log_sample)

    def _has_room(self) -> bool:
        """Counts a line about trouble; returns whether this second may have it."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        return self._lines <= TROUBLE_LINES_PER_SECOND


def _sent_path(request: Request) -> str:
    query = _SECRET.sub(r"\1…", request.query.decode("latin-1"))
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
