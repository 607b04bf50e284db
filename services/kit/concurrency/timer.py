"""A deadline that moves often and passes rarely."""

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Deadline:
    """Calls back once its time has come, unless it was moved or cleared before.

    A timer for each request would cost more than the rest of its keeping of time. So there is one
    timer, which goes on ticking when the deadline moves away, and looks again when it fires.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, passed: Callable[[], None]) -> None:
        self._loop = loop
        self._passed = passed
        self._at = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER

    def set(self, seconds: float) -> None:
        """Moves it to so many seconds from now."""
        self._at = self._loop.time() + seconds
        if self._at < self._timer_at:
            self._start_timer()

    def bring_forward(self, seconds: float) -> None:
        """Moves it to so many seconds from now unless it passes earlier."""
        if self._loop.time() + seconds < self._at:
            self.set(seconds)

    def clear(self) -> None:
        """Lets it never pass."""
        self._at = NEVER

    def close(self) -> None:
        """Ends its timer, too, and forgets whom to call back."""
        self.clear()
        self._passed = _nothing
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, NEVER

    def _start_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._at
        self._timer = self._loop.call_at(self._at, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, NEVER
        if self._at == NEVER:
            return
        if self._loop.time() < self._at:
            self._start_timer()
        else:
            self._at = NEVER
            self._passed()


def _nothing() -> None:
    """Is called back once nobody waits any more."""
