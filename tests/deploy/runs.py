"""Reads the output and the processes of a run of Boxoffice."""

import subprocess
from collections.abc import Callable

import psutil
import pytest

SECONDS = 60
READY = "Ctrl-C stops everything"

Run = subprocess.Popen[str]
Start = Callable[..., Run]


def read_until(run: Run, text: str) -> list[str]:
    """Reads the run's output up to the line that has `text`."""
    assert run.stdout is not None
    lines = []
    for line in run.stdout:
        lines.append(line)
        if text in line:
            return lines
    pytest.fail(f"the run ended without {text!r}:\n{''.join(lines)}")


def processes(run: Run) -> list[psutil.Process]:
    """Lists the processes that the run started, PostgreSQL and its own included."""
    return psutil.Process(run.pid).children(recursive=True)


def alive(started: list[psutil.Process], *, within_seconds: float = 0) -> list[psutil.Process]:
    """Returns those of `started` that are still alive after the time."""
    return psutil.wait_procs(started, timeout=within_seconds)[1]
