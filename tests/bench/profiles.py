"""Draws a flame graph of every Python process in every case, with py-spy.

py-spy looks into the memory of another process, for which it must be root or may need
`sysctl kernel.yama.ptrace_scope=0`; a container needs the capability SYS_PTRACE. It slows
the processes down, so figures of a profiled run cannot be compared.
"""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.system import POSTGRES, System

PY_SPY = Path(sys.executable).with_name("py-spy")
RATE = 200
STOP_SECONDS = 60


@contextlib.contextmanager
def profiled(system: System, case: str, folder: Path, seconds: float) -> Iterator[None]:
    """Profiles the block for `seconds`, into `folder/case-process.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", case.lower())
    observed = {n: p for n, p in system.processes.items() if n != POSTGRES}
    observers = [
        subprocess.Popen(
            [
                *(PY_SPY, "record", "--pid", str(process.pid), "--rate", str(RATE)),
                *("--duration", f"{seconds:.0f}", "--threads", "--nonblocking"),
                *("--output", folder / f"{name}-{process_name}.svg"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for process_name, process in observed.items()
    ]
    try:
        yield
    finally:
        for observer in observers:
            _, said = observer.communicate(timeout=STOP_SECONDS)
            if observer.returncode:
                print(f"py-spy: {said.strip()}", file=sys.stderr)
