"""A timer for a deadline that moves often and rarely passes."""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls `passed` when the deadline passes, unless it was moved or cleared before.

    Restarting a timer for each request would be too expensive. So a timer keeps running when the
    deadline moves away, and checks the deadline again when it fires.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._at = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER

    def set(self, seconds: float) -> None:
        """Moves the deadline to `seconds` from now."""
        self._at = self._loop.time() + seconds
        if self._at < self._timer_at:
            self._start_timer()

    def bring_forward(self, seconds: float) -> None:
        """Moves the deadline to `seconds` from now, unless it is earlier already."""
        if self._loop.time() + seconds < self._at:
            self.set(seconds)

    def clear(self) -> None:
        """Removes the deadline."""
        self._at = NEVER

    def close(self) -> None:
        """Removes the deadline, stops the timer and drops the callback."""
        self.clear()
        self._passed = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, NEVER

    def _start_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._at
        self._timer = self._loop.call_at(self._at, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, NEVER
        if self._at == NEVER:
            return
        if self._loop.time() < self._at:
            self._start_timer()
        else:
            self._at = NEVER
            self._passed()


def _nothing() -> None:
    """Does nothing; replaces the callback after `close`."""
