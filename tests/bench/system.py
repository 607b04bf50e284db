"""The system under load: the real processes as `make run` starts them, on their own database."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from deploy.local.postgres.server import EmbeddedPostgres
from deploy.local.samples.cinema import DAYS, SHOWS
from tests.e2e.system import free_ports

DATABASE = "boxoffice"
# No limits, and no log line for each request, unlike the development run.
UNHINDERED = {"GATEWAY_RATE_LIMITS": "off", "GATEWAY_LOG_REQUESTS": "false"}
PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT", "MAILBOX_PORT")
START_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.1
SAMPLES = DAYS * len(SHOWS)
POSTGRES, RUNNER = "postgres", "run"


@dataclass(frozen=True, slots=True)
class System:
    """A running Boxoffice: its ports by setting, its owner's DSN, and its processes by name."""

    ports: Mapping[str, int]
    owner_dsn: str
    processes: Mapping[str, psutil.Process]

    @property
    def port(self) -> int:
        """The port of the gateway."""
        return self.ports["PORT"]

    @property
    def url(self) -> str:
        """The URL of the gateway."""
        return f"http://127.0.0.1:{self.port}"

    def create_event(self, seats: int) -> int:
        """Creates an event; returns its id."""
        answer = httpx.post(f"{self.url}/events", json={"name": "Rush", "total_seats": seats})
        event_id: int = answer.raise_for_status().json()["id"]
        return event_id

    def create_tickets(self, seats: int) -> str:
        """Creates an event with a key, which bookings knows; returns the key."""
        key = f"tickets-{time.time_ns()}"
        body = {"eventId": key, "totalTickets": seats}
        httpx.post(f"{self.url}/initialize", json=body).raise_for_status()
        httpx.get(f"{self.url}/status/{key}").raise_for_status()
        return key

    def metrics(self) -> str:
        """Reads the gateway's metrics."""
        return httpx.get(f"{self.url}/metrics").raise_for_status().text

    def cpu_seconds(self) -> dict[str, float]:
        """Returns the processor time of each process; PostgreSQL counts as one."""
        return {
            name: _cpu_seconds(process, whole_tree=name == POSTGRES)
            for name, process in self.processes.items()
        }

    def memory_mb(self) -> dict[str, float]:
        """Returns the memory of each process, without shared pages."""
        return {
            name: process.memory_full_info().uss / 2**20
            for name, process in self.processes.items()
            if name != POSTGRES
        }

    @contextlib.contextmanager
    def another_gateway(self, **settings: str) -> Iterator[int]:
        """Runs another gateway with settings of its own; yields its port."""
        [port] = free_ports(1)
        targets = {
            f"GATEWAY_{setting.removesuffix('_PORT')}_TARGET": f"127.0.0.1:{service}"
            for setting, service in self.ports.items()
            if setting != "PORT"
        }
        open_to_all = {"PORT": str(port), "BOXOFFICE_OPEN_ACCESS": "true"}
        with _running("gateway", open_to_all | targets | settings):
            _wait_until_ready(f"http://127.0.0.1:{port}")
            yield port


@contextlib.contextmanager
def running_system(**settings: str) -> Iterator[System]:
    """Runs Boxoffice while the block runs; removes everything afterwards."""
    with tempfile.TemporaryDirectory(prefix="boxoffice-bench-", dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        settings |= {setting: str(port) for setting, port in ports.items()}
        with _running("deploy.local", settings | {"BOXOFFICE_DATA_DIRECTORY": name}) as runner:
            _wait_until_ready(f"http://127.0.0.1:{ports['PORT']}")
            processes = _processes(psutil.Process(runner.pid))
            yield System(ports, EmbeddedPostgres(Path(name)).dsn(DATABASE), processes)


@contextlib.contextmanager
def _running(module: str, settings: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**os.environ, **UNHINDERED, **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_SECONDS)


def _wait_until_ready(url: str) -> None:
    """Waits until Boxoffice is ready and has its sample data; raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            ready = httpx.get(f"{url}/ready").is_success
            if ready and len(httpx.get(f"{url}/api/screenings").json()) >= SAMPLES:
                return
        time.sleep(POLL_SECONDS)  # the condition is in other processes, which set no event
    raise TimeoutError("Boxoffice did not start")


def _processes(runner: psutil.Process) -> dict[str, psutil.Process]:
    found = {}
    for child in runner.children():
        command = child.cmdline()
        module = command[command.index("-m") + 1] if "-m" in command else ""
        found[module.removeprefix("services.") or POSTGRES] = child
    return found | {RUNNER: runner}


def _cpu_seconds(process: psutil.Process, *, whole_tree: bool) -> float:
    try:
        times, children = process.cpu_times(), process.children()
    except psutil.NoSuchProcess:
        return 0.0  # it has ended meanwhile; its parent counts its time
    own: float = times.user + times.system
    if not whole_tree:
        return own
    # The server also counts backends that have ended.
    ended = times.children_user + times.children_system
    alive = sum(_cpu_seconds(child, whole_tree=True) for child in children)
    return own + float(ended) + alive
