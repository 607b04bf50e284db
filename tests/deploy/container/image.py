"""Starts the image and books a seat: `make image-test`.

Every process runs in a container of its own, in production, beside a PostgreSQL of the tests. Not a
part of the suite: few machines can build and run images.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from deploy.local.postgres.server import EmbeddedPostgres
from services.migrate import SERVICES
from tests.deploy.container.engine import USER, Engine, find_engine, stop
from tests.e2e.system import free_ports

IMAGE = os.environ.get("IMAGE") or "localhost/boxoffice:0.1.0"
PATIENCE_SECONDS = 180
FORBIDDEN = ("gcc", "cc", "make", "pip")
PROCESSES = (*SERVICES, "gateway")
Environment = Mapping[str, str]


class Trial:
    """The containers of one trial, and what is printed about it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begun = time.monotonic()

    def say(self, done: str) -> None:
        """Prints what is done, and when."""
        print(f"{time.monotonic() - self._begun:6.1f} s  {done}", flush=True)

    def run(self, *command: str, environment: Environment | None = None) -> str:
        """Runs a command to its end; returns what it prints. Raises CalledProcessError."""
        line = self._engine.line(command, environment or {})
        done = subprocess.run(
            line, check=True, text=True, stdout=subprocess.PIPE, timeout=PATIENCE_SECONDS
        )
        return done.stdout.strip()

    @contextlib.contextmanager
    def running(self, process: str, environment: Environment) -> Iterator[None]:
        """Runs a process while the block runs. Exits if it does not end as it should."""
        line = self._engine.line(("entrypoint", process), environment)
        container = subprocess.Popen(line, text=True)
        try:
            yield
        finally:
            status = stop(container)
        if status:
            sys.exit(f"{process} ended with status {status}")

    def wait_until_healthy(self, process: str, environment: Environment) -> None:
        """Waits until the health check of the image succeeds. Exits if it never does."""
        until = time.monotonic() + PATIENCE_SECONDS
        line = self._engine.line(("entrypoint", "healthy", process), environment)
        while subprocess.run(line, check=False).returncode:
            if time.monotonic() > until:
                sys.exit(f"{process} is not healthy")


def main() -> None:
    """Checks the image, starts every process, books a seat, stops everything."""
    engine = find_engine(IMAGE)
    trial = Trial(engine)
    try:
        with postgres_with_port() as owner:
            run(trial, environment_of(owner))
    finally:
        written = engine.close()
    if written:
        sys.exit(f"processes wrote into the image:\n{written}")
    trial.say("everything has stopped, and nothing was written into the image")


def run(trial: Trial, environment: Environment) -> None:
    """Goes through the life of an installation."""
    assert trial.run("id", "-u") == USER
    tools = trial.run(
        "sh", "-c", f"for tool in {' '.join(FORBIDDEN)}; do command -v $tool; done; :"
    )
    if tools:
        sys.exit(f"the image contains {tools}")
    trial.say("the image has no compiler and no installer, and runs as an ordinary user")
    trial.run("entrypoint", "migrate", environment=environment)
    trial.run("entrypoint", "rotate-keys", "--first", environment=environment)
    trial.say("the schemas are there, and a key to sign with")
    with contextlib.ExitStack() as stack:
        for process in PROCESSES:
            stack.enter_context(trial.running(process, environment))
        for process in PROCESSES:
            trial.wait_until_healthy(process, environment)
        trial.say("all processes are healthy")
        trial.say(f"booked: {book(environment)}")


def book(environment: Environment) -> Any:
    """Makes an event of one seat and sells it; a second buyer must not get it."""
    url = f"http://127.0.0.1:{environment['PORT']}"
    _, event = post(f"{url}/events", {"name": "Jazz", "total_seats": 1})
    wanted = {"event_id": event["id"], "user_id": "ada"}
    status, booking = post(f"{url}/api/bookings/reserve", wanted)
    refused, _ = post(f"{url}/api/bookings/reserve", wanted | {"user_id": "grace"})
    if (status, refused) != (201, 409):
        sys.exit(f"the first buyer got {status}, the second one {refused}")
    return booking


def post(url: str, body: object) -> tuple[int, Any]:
    """Sends JSON; returns the status and the body of the response."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - as above
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def environment_of(owner: str) -> Environment:
    """Returns the settings of all processes, on ports of this machine that are free."""
    ports = dict(
        zip((*PROCESSES, *(f"{one}-metrics" for one in SERVICES)), free_ports(7), strict=True)
    )
    place = owner.partition("@")[2]
    environment = {
        "BOXOFFICE_ENV": "production",
        # So that the trial can book without logging in.
        "BOXOFFICE_OPEN_ACCESS": "true",
        "BOXOFFICE_SERVICE_KEY": "k" * 32,
        "BOXOFFICE_DATABASE_URL": owner,
        "ACCOUNTS_CODE_PEPPER": "p" * 32,
        "GATEWAY_HOST": "127.0.0.1",
        "PORT": str(ports["gateway"]),
    }
    for service in SERVICES:
        name = service.upper()
        environment |= {
            f"{name}_DATABASE_PASSWORD": service,
            f"{name}_DATABASE_URL": f"postgresql://boxoffice_{service}:{service}@{place}",
            f"{name}_LISTEN": f"127.0.0.1:{ports[service]}",
            f"{name}_METRICS_LISTEN": f"127.0.0.1:{ports[f'{service}-metrics']}",
        }
    targets = {
        f"{caller}_{service.upper()}_TARGET": f"127.0.0.1:{ports[service]}"
        for caller in ("GATEWAY", "EVENTS", "BOOKINGS")
        for service in SERVICES
        if caller != service.upper()
    }
    return environment | targets


@contextlib.contextmanager
def postgres_with_port() -> Iterator[str]:
    """Runs a PostgreSQL for the trial; yields the owner's connection string."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="boxoffice-") as name:
        Path(name).chmod(0o711)
        server = EmbeddedPostgres(Path(name), durable=False, port=port)
        try:
            with server:
                parts = conninfo_to_dict(server.create_database("boxoffice"))
                yield (
                    f"postgresql://{parts['user']}:{parts['password']}@127.0.0.1:{port}/boxoffice"
                )
        finally:
            server.remove()


if __name__ == "__main__":
    main()
