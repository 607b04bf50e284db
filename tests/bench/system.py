"""The system under load: the real processes as `make run` starts them, on their own database."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from deploy.local.postgres import EmbeddedPostgres

DATABASE = "boxoffice"
PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT")
START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.1
SAMPLES = 3


@dataclass(frozen=True, slots=True)
class System:
    """A running Boxoffice: its origin, its owner's DSN, and its processes by name."""

    url: str
    owner_dsn: str
    processes: Mapping[str, psutil.Process]

    def cpu_seconds(self) -> dict[str, float]:
        """Tells how much processor time each process has used; PostgreSQL's are one."""
        return {name: _cpu_seconds(process) for name, process in self.processes.items()}

    def memory_mb(self) -> dict[str, float]:
        """Tells how much memory each process holds, shared pages left out."""
        return {
            name: process.memory_full_info().uss / 2**20
            for name, process in self.processes.items()
            if name != "postgres"
        }


@contextlib.contextmanager
def running_system() -> Iterator[System]:
    """Runs Boxoffice while the block runs; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="boxoffice-bench-", dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        ports = _free_ports(len(PORTS))
        environment = dict(zip(PORTS, map(str, ports), strict=True))
        url = f"http://127.0.0.1:{ports[0]}"
        runner = subprocess.Popen(
            [sys.executable, "-m", "deploy.local"],
            env=os.environ | environment | {"BOXOFFICE_DATA_DIRECTORY": name},
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_until_ready(url)
            yield System(
                url,
                EmbeddedPostgres(Path(name)).dsn(DATABASE),
                _processes(psutil.Process(runner.pid)),
            )
        finally:
            runner.send_signal(signal.SIGTERM)
            runner.wait(timeout=STOP_SECONDS)


def _wait_until_ready(url: str) -> None:
    """Asks until Boxoffice is ready and has its sample data; raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            ready = httpx.get(f"{url}/ready").is_success
            if ready and len(httpx.get(f"{url}/events").json()) >= SAMPLES:
                return
        time.sleep(POLL_SECONDS)  # in other processes: there is no event to wait for
    raise TimeoutError("Boxoffice did not start")


def _processes(runner: psutil.Process) -> dict[str, psutil.Process]:
    found = {}
    for child in runner.children():
        command = child.cmdline()
        module = command[command.index("-m") + 1] if "-m" in command else ""
        found[module.removeprefix("services.") or "postgres"] = child
    return found


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    # Backends come and go, so their server counts those that have gone, too.
    ended = times.children_user + times.children_system
    alive = sum(_cpu_seconds(child) for child in process.children())
    return times.user + times.system + ended + alive


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [opened.getsockname()[1] for opened in sockets]
