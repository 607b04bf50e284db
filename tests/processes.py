"""The processes of Boxoffice, which tests start, stop and kill at will.

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

from deploy.local.leash import leash

STOP_SECONDS = 60

_MODULES = tuple(
    f"{module}.__main__"
    for module in ("services.accounts", "services.events", "services.bookings", "gateway")
)
# Made in the server that forks, so that what it forked ends with it.
_stay_on_the_leash = leash(signal.SIGKILL)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", *_MODULES, __name__])


class Process:
    """`python -m module`, whose settings are environment variables and whose log goes to a file."""

    def __init__(self, name: str, module: str, settings: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._module = f"{module}.__main__"
        self._settings = settings
        self._log = log
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self, **settings: str) -> None:
        """Starts it, or starts it again; the settings given are for this time only."""
        environment = {**os.environ, **self._settings, **settings}
        self._process = _forks.Process(
            target=_serve, args=(self._module, environment, self._log), daemon=True
        )
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.is_alive()

    def terminate(self) -> None:
        """Asks it to end."""
        self._started.terminate()

    def ended(self) -> int:
        """Waits for its end; returns the exit status, or the number of the signal, negative."""
        self._started.join(STOP_SECONDS)
        code = self._started.exitcode
        assert code is not None, f"{self.name} goes on"
        return code

    def kill(self) -> None:
        """Ends it with no chance to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def go_on(self) -> None:
        """Lets it go on where it was stopped."""
        pid = self._started.pid
        assert pid is not None, f"{self.name} was never started"
        os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Returns all that it ever printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def entries(self) -> list[dict[str, Any]]:
        """Returns its log lines."""
        return [json.loads(line) for line in self.log().splitlines()]

    @property
    def _started(self) -> multiprocessing.process.BaseProcess:
        assert self._process is not None, f"{self.name} was never started"
        return self._process


def _serve(module: str, environment: Mapping[str, str], log: Path) -> None:
    """Runs a module as `python -m` does, in the process that was forked for it."""
    if _stay_on_the_leash:
        _stay_on_the_leash()
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.exit(importlib.import_module(module).main())
