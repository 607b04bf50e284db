"""A whole Boxoffice, each service and gateway a process, which tests start, break and stop."""

import itertools
import json
import random
import socket
import time
from collections.abc import Callable, Iterable
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
    """Accounts, events, some replicas of bookings and of the gateway, on one database.

    Leaving it stops what still runs, and fails if a process ended with an error or logged a defect.
    `bookings` is the package that is run as bookings.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        replicas: int = 1,
        gateways: int = 1,
        bookings: str = "services.bookings",
        **settings: str,
    ) -> None:
        self.database = database
        accounts, events, *ports = free_ports(2 + replicas + gateways)
        self.ports, listening = ports[:gateways], ports[gateways:]
        self.port = self.ports[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.accounts_target = f"127.0.0.1:{accounts}"
        self.events_target = f"127.0.0.1:{events}"
        self.bookings_targets = [f"127.0.0.1:{port}" for port in listening]
        shared = {
            "BOOKINGS_PAYMENT_PROVIDERS": "sandbox",
            "BOXOFFICE_LOG_SAMPLE": "1",
            "BOXOFFICE_OPEN_ACCESS": "true",
            "BOXOFFICE_SERVICE_KEY": SERVICE_KEY,
            "GATEWAY_DRAIN_SECONDS": "0",
            "GATEWAY_RATE_LIMITS": "off",
            **settings,
        }
        target = f"ipv4:{','.join(self.bookings_targets)}"
        self.accounts = Process(
            "accounts",
            "services.accounts",
            shared
            | {
                "ACCOUNTS_DATABASE_URL": database.accounts_dsn,
                "ACCOUNTS_LISTEN": self.accounts_target,
            },
            folder / "accounts.log",
        )
        self.events = Process(
            "events",
            "services.events",
            shared
            | {
                "EVENTS_DATABASE_URL": database.events_dsn,
                "EVENTS_LISTEN": self.events_target,
                "EVENTS_ACCOUNTS_TARGET": self.accounts_target,
                "EVENTS_BOOKINGS_TARGET": target,
            },
            folder / "events.log",
        )
        self.bookings = [
            Process(
                f"bookings {number}",
                bookings,
                shared
                | {
                    "BOOKINGS_DATABASE_URL": database.bookings_dsn,
                    "BOOKINGS_LISTEN": listen,
                    "BOOKINGS_ACCOUNTS_TARGET": self.accounts_target,
                    "BOOKINGS_EVENTS_TARGET": self.events_target,
                },
                folder / f"bookings-{number}.log",
            )
            for number, listen in enumerate(self.bookings_targets)
        ]
        self.gateways = [
            Process(
                f"gateway {number}",
                "gateway",
                shared
                | {
                    "GATEWAY_ACCOUNTS_TARGET": self.accounts_target,
                    "GATEWAY_EVENTS_TARGET": self.events_target,
                    "GATEWAY_BOOKINGS_TARGET": target,
                    "PORT": str(port),
                },
                folder / f"gateway-{number}.log",
            )
            for number, port in enumerate(self.ports)
        ]
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
            services = (self.accounts, self.events, *self.bookings)
            status = self.stop(*self.gateways) | self.stop(*services)
        finally:
            self._kill()
        if error is None:
            assert set(status.values()) <= {0}, f"{status}\n{self.log()}"
            assert not self.defects(), self.defects()

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order of their start."""
        return [self.accounts, self.events, *self.bookings, *self.gateways]

    def wait_until_ready(self) -> None:
        """Waits until all services answer and can verify tokens."""
        with httpx.Client(trust_env=False) as client:
            paths = ("/ready", "/events?page_size=1", "/.well-known/jwks.json")
            for port, path in itertools.product(self.ports, paths):
                url = f"http://127.0.0.1:{port}{path}"
                until(partial(self._answers, client, url), self.log)
        services = dict.fromkeys(self.bookings_targets, TOP_USERS) | {self.events_target: EVENTS}
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
