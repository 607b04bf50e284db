"""Counts, times and logs the calls of a method, single ones and items of batches."""

from collections.abc import Sequence

import structlog
from prometheus_client import Counter

from services.kit.process import metrics
from services.kit.process.logging import is_sampled
from services.kit.rpc import errors

TROUBLE = (errors.Internal, errors.Unavailable, errors.OutcomeUnknown)
"""Refusals that are not the client's fault."""

log = structlog.get_logger()


class CallLog:
    """Records the outcomes of one method's calls; logs the share `log_sample` of the successes."""

    def __init__(self, path: str, log_sample: float) -> None:
        self._path = path
        self._log_sample = log_sample
        self._counters: dict[str, Counter] = {}
        self._seconds = metrics.SECONDS.labels(path)

    def answered(self, request_ids: Sequence[str], seconds: float) -> None:
        """Records successful calls with the same duration."""
        self._count("OK", "", len(request_ids), seconds)
        for request_id in request_ids:
            if is_sampled(request_id, self._log_sample):
                self._write("answered", request_id, seconds)

    def refused(self, request_ids: Sequence[str], refusal: errors.Refusal, seconds: float) -> None:
        """Records refusals; those that are not the client's fault are always logged."""
        self._count(refusal.code.name, refusal.reason, len(request_ids), seconds)
        share = 1.0 if isinstance(refusal, TROUBLE) else self._log_sample
        for request_id in request_ids:
            if is_sampled(request_id, share):
                self._write("refused", request_id, seconds, reason=refusal.reason)

    def abandoned(self) -> None:
        """Records a call whose caller stopped waiting."""
        metrics.CALLS.labels(self._path, "CANCELLED", "").inc()

    def _count(self, code: str, reason: str, number: int, seconds: float) -> None:
        counter = self._counters.get(reason)
        if counter is None:
            counter = self._counters[reason] = metrics.CALLS.labels(self._path, code, reason)
        counter.inc(number)
        self._seconds.observe_many(seconds, number)

    def _write(self, event: str, request_id: str, seconds: float, **more: str) -> None:
        rounded = round(seconds, 6)
        log.info(event, request_id=request_id, method=self._path, seconds=rounded, **more)
