"""Places where a test makes a process die, to show that it may die there.

`BOXOFFICE_FAILPOINTS=events.change.committed=kill@2` kills the process when it comes there for the
second time. Without that setting a failpoint does nothing; the settings refuse it in production.
"""

import os
import signal
from collections import Counter

_armed: dict[str, int] = {}
_hits: Counter[str] = Counter()


def arm(failpoints: str) -> None:
    """Arms a comma-separated list of `name=kill@hit`. Raises ValueError for what it cannot read."""
    _armed.update(parsed(failpoints))


def parsed(failpoints: str) -> dict[str, int]:
    """Returns the hit at which each failpoint kills. Raises ValueError for what it cannot read."""
    hits = {}
    for item in filter(None, failpoints.split(",")):
        name, _, action = item.partition("=")
        verb, _, hit = action.partition("@")
        if verb != "kill" or not (hit or "1").isdecimal():
            raise ValueError("must be name=kill@hit, several of them separated by commas")
        hits[name] = int(hit or 1)
    return hits


def failpoint(name: str) -> None:
    """Dies here, as by `kill -9`, if a test wants it."""
    if _armed:
        _hits[name] += 1
        if _armed.get(name) == _hits[name]:
            os.kill(os.getpid(), signal.SIGKILL)
