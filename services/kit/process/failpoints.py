"""Places where a test makes a process die or stand still, to show that it may do so there.

`BOXOFFICE_FAILPOINTS=events.change.committed=kill@2` kills the process when it comes there for the
second time; `=stop@2` stops it there until it gets SIGCONT. Without that setting a failpoint does
nothing; the settings refuse it in production.
"""

import os
import signal
from collections import Counter

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: dict[str, tuple[signal.Signals, int]] = {}
_hits: Counter[str] = Counter()


def arm(failpoints: str) -> None:
    """Arms a comma-separated list of `name=kill@hit` or `name=stop@hit`.

    Raises ValueError for what it cannot read.
    """
    _armed.update(parsed(failpoints))


def parsed(failpoints: str) -> dict[str, tuple[signal.Signals, int]]:
    """Returns the signal of each failpoint, and the hit at which it is sent. Raises ValueError."""
    found = {}
    for item in filter(None, failpoints.split(",")):
        name, _, action = item.partition("=")
        verb, _, hit = action.partition("@")
        if verb not in _SIGNALS or not (hit or "1").isdecimal():
            raise ValueError("must be name=kill@hit or name=stop@hit, separated by commas")
        found[name] = _SIGNALS[verb], int(hit or 1)
    return found


def failpoint(name: str) -> None:
    """Dies here as by `kill -9`, or stops as by `kill -STOP`, if a test wants it."""
    if _armed:
        _hits[name] += 1
        number, hit = _armed.get(name, (signal.SIGKILL, 0))
        if hit == _hits[name]:
            os.kill(os.getpid(), number)
