"""Whether somebody who is asked again and again still answers."""

import time

import structlog

LASTING_SECONDS = 5.0
"""Shorter silences are usual: while everything starts, stops or is replaced."""

log = structlog.get_logger()


class Silence:
    """Notes who does not answer; what is logged then is `event`, once, when it has lasted."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._since: float | None = None
        self._is_told = False

    def __bool__(self) -> bool:
        """Whether the last question had no answer."""
        return self._since is not None

    def end(self) -> None:
        """Notes an answer."""
        self._since = None
        self._is_told = False

    def go_on(self, reason: str) -> None:
        """Notes a question without an answer, and why."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        seconds = now - self._since
        if seconds < LASTING_SECONDS:
            log.debug(self._event, reason=reason)
        elif not self._is_told:
            self._is_told = True
            log.warning(self._event, reason=reason, seconds=round(seconds, 1))
