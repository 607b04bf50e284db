"""Logs an outage of a service once, and only if it lasts."""

import time

import structlog

LASTING_SECONDS = 5.0
"""Shorter outages are usual, while processes start, stop or are replaced."""

log = structlog.get_logger()


class Outage:
    """Logs `event` once when calls have failed for LASTING_SECONDS."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._since: float | None = None
        self._is_logged = False

    def __bool__(self) -> bool:
        """Whether the last call failed."""
        return self._since is not None

    def record_answer(self) -> None:
        """Ends the outage, if there is one."""
        self._since = None
        self._is_logged = False

    def record_failure(self, reason: str) -> None:
        """Starts or continues the outage."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        seconds = now - self._since
        if seconds < LASTING_SECONDS:
            log.debug(self._event, reason=reason)
        elif not self._is_logged:
            self._is_logged = True
            log.warning(self._event, reason=reason, seconds=round(seconds, 1))
