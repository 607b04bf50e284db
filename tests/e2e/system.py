"""A whole Boxoffice, each service and gateway a process, which tests start, break and stop."""

import itertools
import json
import random
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import grpc
import httpx

from tests.conftest import Database
from tests.processes import Process
from tests.services.issuer import ScriptedIssuer, account

START_SECONDS = 90
SERVICE_KEY = "the-key-of-services"
# Below the ports of outgoing connections, so that a restarted process gets its port back.
PORTS = range(10_000, 30_000)
EVENTS = "/boxoffice.events.v1.EventsService/ListEvents"
TOP_USERS = "/boxoffice.bookings.v1.BookingsService/ListTopUsers"
# gRPC prints this when a client that watches a server's health disconnects at a bad moment.
HARMLESS = ("Traceback (most recent call last):", "_schedule_rpc_coro", "exceptions.CancelledError")


class System:
    """Some replicas of bookings, of the gateway, and of events and accounts, on one database.

    Leaving it stops what still runs, and fails if a process ended with an error or logged a defect.
    `bookings` is the package that is run as bookings, `other_replicas` counts those of events and
    of accounts, and `process` makes each of the processes.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        replicas: int = 1,
        gateways: int = 1,
        other_replicas: int = 1,
        bookings: str = "services.bookings",
        process: type[Process] = Process,
        **settings: str,
    ) -> None:
        self.database = database
        self.ports = list(free_ports(gateways + replicas + 2 * other_replicas))
        listening = [f"127.0.0.1:{self.ports.pop()}" for _ in range(replicas + 2 * other_replicas)]
        self.port = self.ports[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.bookings_targets = listening[:replicas]
        self.events_targets = listening[replicas : replicas + other_replicas]
        self.accounts_targets = listening[replicas + other_replicas :]
        self.events_target, self.accounts_target = self.events_targets[0], self.accounts_targets[0]
        shared = {
            "BOOKINGS_PAYMENT_PROVIDERS": "sandbox",
            "BOXOFFICE_LOG_SAMPLE": "1",
            "BOXOFFICE_OPEN_ACCESS": "true",
            "BOXOFFICE_SERVICE_KEY": SERVICE_KEY,
            "GATEWAY_DRAIN_SECONDS": "0",
            "GATEWAY_RATE_LIMITS": "off",
            "ACCOUNTS_DATABASE_URL": database.accounts_dsn,
            "BOOKINGS_DATABASE_URL": database.bookings_dsn,
            "EVENTS_DATABASE_URL": database.events_dsn,
            **_targets("ACCOUNTS", self.accounts_targets, callers=("EVENTS", "BOOKINGS")),
            **_targets("EVENTS", self.events_targets, callers=("BOOKINGS",)),
            **_targets("BOOKINGS", self.bookings_targets, callers=("EVENTS",)),
            **settings,
        }

        def replicas_of(name: str, package: str, variable: str, places: list[str]) -> list[Process]:
            return [
                process(
                    f"{name} {number}",
                    package,
                    shared | {variable: place},
                    folder / f"{name}-{number}.log",
                )
                for number, place in enumerate(places)
            ]

        self.all_accounts = replicas_of(
            "accounts", "services.accounts", "ACCOUNTS_LISTEN", self.accounts_targets
        )
        self.all_events = replicas_of(
            "events", "services.events", "EVENTS_LISTEN", self.events_targets
        )
        self.bookings = replicas_of("bookings", bookings, "BOOKINGS_LISTEN", self.bookings_targets)
        self.gateways = replicas_of("gateway", "gateway", "PORT", list(map(str, self.ports)))
        self.accounts, self.events = self.all_accounts[0], self.all_events[0]
        self.gateway = self.gateways[0]

    def __enter__(self) -> Self:
        for process in self.processes:
            process.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops the gateways before the services that they call."""
        try:
            services = (*self.all_accounts, *self.all_events, *self.bookings)
            status = self.stop(*self.gateways) | self.stop(*services)
        finally:
            self._kill()
        if error is None:
            assert set(status.values()) <= {0}, f"{status}\n{self.log()}"
            assert not self.defects(), self.defects()

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order of their start."""
        return [*self.all_accounts, *self.all_events, *self.bookings, *self.gateways]

    @property
    def kinds(self) -> dict[str, list[Process]]:
        """The replicas of each kind of process."""
        return {
            "accounts": self.all_accounts,
            "bookings": self.bookings,
            "events": self.all_events,
            "gateway": self.gateways,
        }

    def wait_until_ready(self) -> None:
        """Waits until all services answer and can verify tokens."""
        with httpx.Client(trust_env=False) as client:
            paths = ("/ready", "/events?page_size=1", "/.well-known/jwks.json")
            for port, path in itertools.product(self.ports, paths):
                url = f"http://127.0.0.1:{port}{path}"
                until(partial(self._answers, client, url), self.log)
        services = dict.fromkeys(self.bookings_targets, TOP_USERS)
        services |= dict.fromkeys(self.events_targets, EVENTS)
        for target, rpc in services.items():
            with grpc.insecure_channel(target) as channel:
                until(partial(_verifies_tokens, channel.unary_unary(rpc)), self.log)

    def stop(self, *processes: Process) -> dict[str, int]:
        """Stops the processes that run; returns their exit statuses."""
        running = [process for process in processes if process.is_running]
        for process in running:
            process.terminate()
        return {process.name: process.ended() for process in running}

    def log(self) -> str:
        """Returns the logs of all processes, for the message of a failure."""
        return "\n".join(f"--- {process.name}\n{process.log()}" for process in self.processes)

    def defects(self) -> list[str]:
        """Returns the log lines of unexpected errors."""
        lines = [line for process in self.processes for line in process.log().splitlines()]
        return [line for line in lines if _is_defect(line)]

    def _answers(self, client: httpx.Client, url: str) -> bool:
        assert all(process.is_running for process in self.processes), self.log()
        try:
            return client.get(url).status_code == 200
        except httpx.TransportError:
            return False

    def _kill(self) -> None:
        for process in self.processes:
            if process.is_running:
                process.kill()


def until(
    condition: Callable[[], bool],
    explain: Callable[[], str] = lambda: "",
    *,
    seconds: float = START_SECONDS,
    pause_seconds: float = 0.02,
) -> None:
    """Waits for a condition of another process; fails with the explanation if it never holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s\n{explain()}"
        time.sleep(pause_seconds)  # in another process: there is no event to wait for


def free_ports(count: int) -> Iterable[int]:
    """Returns ports that no program listens on."""
    found: set[int] = set()
    while len(found) < count:
        port = random.choice(PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.add(port)
    return found


def _targets(name: str, places: Sequence[str], *, callers: Sequence[str]) -> dict[str, str]:
    """Returns the settings by which the gateway and other services find the replicas of one."""
    target = f"ipv4:{','.join(places)}"
    return {f"{caller}_{name}_TARGET": target for caller in ("GATEWAY", *callers)}


def _verifies_tokens(call: Callable[..., bytes]) -> bool:
    """Returns whether a service has the keys of tokens: before, it answers UNAVAILABLE."""
    token = ScriptedIssuer(kid="made-up").bearer(account("nobody"))
    try:
        call(b"", timeout=START_SECONDS, metadata=token)
    except grpc.RpcError as error:
        return cast(grpc.Call, error).code() is grpc.StatusCode.UNAUTHENTICATED
    return False


def _is_defect(line: str) -> bool:
    if any(text in line for text in HARMLESS):
        return False
    return not line.startswith("{") or json.loads(line)["level"] in {"error", "critical"}
