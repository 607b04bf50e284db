"""Counts, times and logs the calls of a method, whether each came by itself or in a batch."""

import structlog
from prometheus_client import Counter

from services.kit import errors, metrics
from services.kit.logging import sampled

log = structlog.get_logger()


class CallLog:
    """Records what became of the calls of one method; logs `log_sample` of those that went well."""

    def __init__(self, path: str, log_sample: float) -> None:
        self._path = path
        self._log_sample = log_sample
        self._answered = metrics.CALLS.labels(path, "OK", "")
        self._abandoned = metrics.CALLS.labels(path, "CANCELLED", "")
        self._refused: dict[tuple[str, str], Counter] = {}
        self._seconds = metrics.SECONDS.labels(path)

    def answered(self, request_id: str, seconds: float) -> None:
        """Records a success."""
        self._answered.inc()
        self._seconds.observe(seconds)
        if sampled(request_id, self._log_sample):
            self._write("answered", request_id, seconds)

    def refused(self, request_id: str, refusal: errors.Refusal, seconds: float) -> None:
        """Records a refusal; one that the client is not to blame for is always logged."""
        self._count(refusal)
        self._seconds.observe(seconds)
        if isinstance(refusal, _TROUBLE) or sampled(request_id, self._log_sample):
            self._write("refused", request_id, seconds, reason=refusal.reason)

    def abandoned(self) -> None:
        """Records a call whose caller stopped waiting."""
        self._abandoned.inc()

    def _count(self, refusal: errors.Refusal) -> None:
        kind = (refusal.code.name, refusal.reason)
        counter = self._refused.get(kind)
        if counter is None:
            counter = self._refused[kind] = metrics.CALLS.labels(self._path, *kind)
        counter.inc()

    def _write(self, event: str, request_id: str, seconds: float, **more: str) -> None:
        rounded = round(seconds, 6)
        log.info(event, request_id=request_id, method=self._path, seconds=rounded, **more)


_TROUBLE = (errors.Internal, errors.Unavailable, errors.OutcomeUnknown)
