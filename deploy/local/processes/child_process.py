"""One process of a run: a child with a process group of its own, whose log is printed."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from deploy.local.errors import ChildEndedError
from deploy.local.log_printer import LogPrinter
from deploy.local.parent_death import end_with_parent

GRACE_SECONDS = 15.0


class Child:
    """A Python module that runs until it is stopped."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, log: asyncio.Task[None]
    ) -> None:
        self.name = name
        self._process = process
        self._log = log

    @classmethod
    async def start(
        cls,
        name: str,
        module: str,
        *,
        environment: Mapping[str, str],
        folder: Path,
        printer: LogPrinter,
    ) -> Self:
        """Starts `python -m module` in `folder`; Ctrl-C in the terminal does not reach it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env={"PYTHONUNBUFFERED": "1", **environment},
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )
        if process.stdout is None:
            raise AssertionError(name)
        return cls(name, process, asyncio.create_task(printer.follow(name, process.stdout)))

    async def ended(self) -> None:
        """Waits until the child ends by itself, and raises ChildEndedError."""
        code = await self._process.wait()
        await self._log
        raise ChildEndedError(f"{self.name} ended by itself, with exit code {code}")

    async def stop(self, forced: asyncio.Event) -> None:
        """Sends SIGTERM, and SIGKILL once the grace is over or `forced` is set."""
        self._signal(signal.SIGTERM)
        end = asyncio.ensure_future(self._process.wait())
        force = asyncio.ensure_future(forced.wait())
        await asyncio.wait({end, force}, timeout=GRACE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        force.cancel()
        self._signal(signal.SIGKILL)
        await end
        await self._log

    def _signal(self, number: signal.Signals) -> None:
        """Signals the whole group, which outlives its leader if it left anything behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)
