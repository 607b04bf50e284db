"""Events and bookings as processes of their own, started quickly and killed at will.

They are forked from a server that has imported everything already, so a start takes a moment.
"""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.local.leash import leash

_MODULES = {"events": "services.events.__main__", "bookings": "services.bookings.__main__"}
STOP_SECONDS = 20

# Made in the server that forks, so that what it forked ends with it.
_stay_on_the_leash = leash(signal.SIGKILL)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", *_MODULES.values(), __name__])


class Process:
    """A service, whose settings are environment variables and whose log goes to a file."""

    def __init__(self, service: str, settings: Mapping[str, str], log: Path) -> None:
        self.service = service
        self._settings = settings
        self._log = log
        self._process: multiprocessing.process.BaseProcess | None = None

    def start(self, **settings: str) -> None:
        """Starts it, or starts it again; the settings given are for this time only."""
        environment = {**self._settings, **settings}
        self._process = _forks.Process(
            target=_serve, args=(_MODULES[self.service], environment, self._log)
        )
        self._process.start()

    def ended(self) -> int:
        """Waits for its end; gives the exit status, or the number of the signal, negative."""
        assert self._process is not None
        self._process.join(STOP_SECONDS)
        assert self._process.exitcode is not None, f"{self.service} goes on"
        return self._process.exitcode

    def kill(self) -> None:
        """Ends it with no chance to say goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.is_alive()

    def log(self) -> str:
        """Gives all that it ever printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")


def _serve(module: str, environment: Mapping[str, str], log: Path) -> None:
    """Runs a service as `python -m` does, in the process that was forked for it."""
    if _stay_on_the_leash:
        _stay_on_the_leash()
    os.environ.update(environment)
    with log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    importlib.import_module(module).main()
