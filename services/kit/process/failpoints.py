"""Failpoints: places at which tests kill or stop a process, to show that a crash there is safe.

`BOXOFFICE_FAILPOINTS=events.change.committed=kill@2` kills the process when it reaches the
failpoint for the second time; `=stop@2` stops it there until SIGCONT. Without the setting a
failpoint does nothing. Production refuses the setting.
"""

import os
import signal
from collections import Counter

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
_armed: dict[str, tuple[signal.Signals, int]] = {}
_hits: Counter[str] = Counter()


def arm(failpoints: str) -> None:
    """Arms a comma-separated list of `name=kill@hit` or `name=stop@hit`.

    Raises ValueError for a malformed list.
    """
    _armed.update(parsed(failpoints))


def parsed(failpoints: str) -> dict[str, tuple[signal.Signals, int]]:
    """Parses the signal of each failpoint, and the hit that sends it. Raises ValueError."""
    found = {}
    for item in filter(None, failpoints.split(",")):
        name, _, action = item.partition("=")
        verb, _, hit = action.partition("@")
        if verb not in _SIGNALS or not (hit or "1").isdecimal():
            raise ValueError("must be name=kill@hit or name=stop@hit, separated by commas")
        found[name] = _SIGNALS[verb], int(hit or 1)
    return found


def failpoint(name: str) -> None:
    """Kills or stops the process here if the failpoint is armed."""
    if _armed:
        _hits[name] += 1
        number, hit = _armed.get(name, (signal.SIGKILL, 0))
        if hit == _hits[name]:
            os.kill(os.getpid(), number)
