"""Places where a test makes a process die or stand still, to show that it may do so there.

`BOXOFFICE_FAILPOINTS=events.change.committed=kill@2` kills the process when it comes there for the
second time; `=stop@2` stops it there until it gets SIGCONT. Without that setting a failpoint does
nothing; in production it is refused at start.
"""

import os
import signal
from collections import Counter

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: dict[str, tuple[signal.Signals, int]] = {}
_hits: Counter[str] = Counter()


def arm(failpoints: str, *, environment: str) -> None:
    """Arms a comma-separated list of `name=kill@hit` or `name=stop@hit`.

    Raises ValueError in production, and for what it cannot read.
    """
    if failpoints and environment == "production":
        raise ValueError("failpoints are for tests, not for production")
    for item in filter(None, failpoints.split(",")):
        name, _, action = item.partition("=")
        verb, _, hit = action.partition("@")
        if verb not in _SIGNALS:
            raise ValueError(f"a failpoint cannot {verb!r}")
        _armed[name] = _SIGNALS[verb], int(hit or 1)


def failpoint(name: str) -> None:
    """Dies here as by `kill -9`, or stops as by `kill -STOP`, if a test wants it."""
    if _armed:
        _hits[name] += 1
        number, hit = _armed.get(name, (signal.SIGKILL, 0))
        if hit == _hits[name]:
            os.kill(os.getpid(), number)
