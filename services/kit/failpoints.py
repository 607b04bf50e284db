"""Places where a test makes a process die, to show that it may die there.

`BOXOFFICE_FAILPOINTS=events.change.committed=kill@2` kills the process when it comes there for the
second time. Without that setting a failpoint does nothing; in production it is refused at start.
"""

import os
import signal
from collections import Counter

_armed: dict[str, int] = {}
_hits: Counter[str] = Counter()


def arm(failpoints: str, *, environment: str) -> None:
    """Arms a comma-separated list of `name=kill@hit`.

    Raises ValueError in production, and for what it cannot read.
    """
    if failpoints and environment == "production":
        raise ValueError("failpoints are for tests, not for production")
    for item in filter(None, failpoints.split(",")):
        name, _, action = item.partition("=")
        verb, _, hit = action.partition("@")
        if verb != "kill":
            raise ValueError(f"a failpoint cannot {verb!r}")
        _armed[name] = int(hit or 1)


def failpoint(name: str) -> None:
    """Dies here, as by `kill -9`, if a test wants it."""
    if _armed:
        _hits[name] += 1
        if _armed.get(name) == _hits[name]:
            os.kill(os.getpid(), signal.SIGKILL)
