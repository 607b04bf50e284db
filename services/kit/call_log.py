"""Counts, times and logs the calls of a method, whether each came by itself or in a batch."""

from collections.abc import Sequence

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
        self._counters: dict[tuple[str, str], Counter] = {}
        self._seconds = metrics.SECONDS.labels(path)

    def answered(self, request_ids: Sequence[str], seconds: float) -> None:
        """Records successes of calls that took as long."""
        self._count(("OK", ""), len(request_ids))
        for request_id in request_ids:
            self._seconds.observe(seconds)
            if sampled(request_id, self._log_sample):
                self._write("answered", request_id, seconds)

    def refused(self, request_ids: Sequence[str], refusal: errors.Refusal, seconds: float) -> None:
        """Records refusals; one that the client is not to blame for is always logged."""
        self._count((refusal.code.name, refusal.reason), len(request_ids))
        share = 1.0 if isinstance(refusal, _TROUBLE) else self._log_sample
        for request_id in request_ids:
            self._seconds.observe(seconds)
            if sampled(request_id, share):
                self._write("refused", request_id, seconds, reason=refusal.reason)

    def abandoned(self) -> None:
        """Records a call whose caller stopped waiting."""
        self._count(("CANCELLED", ""), 1)

    def _count(self, kind: tuple[str, str], number: int) -> None:
        if not number:
            return
        counter = self._counters.get(kind)
        if counter is None:
            counter = self._counters[kind] = metrics.CALLS.labels(self._path, *kind)
        counter.inc(number)

    def _write(self, event: str, request_id: str, seconds: float, **more: str) -> None:
        rounded = round(seconds, 6)
        log.info(event, request_id=request_id, method=self._path, seconds=rounded, **more)


_TROUBLE = (errors.Internal, errors.Unavailable, errors.OutcomeUnknown)
