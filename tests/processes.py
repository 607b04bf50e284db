"""The processes of Boxoffice, which tests start, stop and kill.

They are forked from a server that has imported everything already: imports are most of what a start
costs. `python -m` itself is what the tests of `make run` start.
"""

import importlib
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from deploy.local.parent_death import end_with_parent

STOP_SECONDS = 60

_MODULES = tuple(
    f"{module}.__main__"
    for module in ("services.accounts", "services.events", "services.bookings", "gateway")
)
# Made in the server that forks, so that what it forked ends with it.
_request_parent_death = end_with_parent(signal.SIGKILL)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", *_MODULES, __name__, "tests.fork_server"])


class Process:
    """`python -m module`, whose settings are environment variables and whose log goes to a file."""

    def __init__(self, name: str, module: str, settings: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._module = f"{module}.__main__"
        self._settings = settings
        self._log = log
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self, **settings: str) -> None:
        """Starts it, or starts it again; the settings apply to this start only."""
        environment = {**os.environ, **self._settings, **settings}
        self._end_the_last_line()
        self._process = _forks.Process(
            target=_serve, args=(self._module, environment, self._log), daemon=True
        )
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.is_alive()

    @property
    def is_stopped(self) -> bool:
        """Whether a SIGSTOP holds it."""
        return psutil.Process(self._started.pid).status() == psutil.STATUS_STOPPED

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._started.terminate()

    def ended(self) -> int:
        """Waits for its end; returns the exit status, or the negative number of the signal."""
        self._started.join(STOP_SECONDS)
        code = self._started.exitcode
        assert code is not None, f"{self.name} does not end"
        return code

    def kill(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def resume(self) -> None:
        """Continues it after a stop."""
        pid = self._started.pid
        assert pid is not None, f"{self.name} was never started"
        os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Returns all its output, of all its starts."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def entries(self) -> list[dict[str, Any]]:
        """Returns its log lines."""
        return [json.loads(line) for line in self.log().splitlines()]

    def _end_the_last_line(self) -> None:
        """Ends a line that a killed process wrote without its line break."""
        if self._log.exists() and (text := self.log()) and not text.endswith("\n"):
            with self._log.open("a") as file:
                file.write("\n")

    @property
    def _started(self) -> multiprocessing.process.BaseProcess:
        assert self._process is not None, f"{self.name} was never started"
        return self._process


def _serve(module: str, environment: Mapping[str, str], log: Path) -> None:
    """Runs a module as `python -m` does, in the process that was forked for it."""
    if _request_parent_death:
        _request_parent_death()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(importlib.import_module(module).main())
