"""Installs both wheels into an empty environment, and books a seat: `make wheels-check`.

No part of `make test`: installing takes longer than all other tests of a folder together.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.local.local_http import open_url
from deploy.wheels import CHECKOUT, build
from tests.deploy.runs import READY, SECONDS, Run, read_until

PORTS = ("PORT", "EVENTS_PORT", "BOOKINGS_PORT", "ACCOUNTS_PORT")
NAMES = ("boxoffice", "boxoffice_server")
EMAIL, PASSWORD = "admin@example.com", "a long pass phrase"


def main() -> None:
    """Builds, installs, starts, books and stops; raises for whatever fails."""
    with tempfile.TemporaryDirectory(prefix="boxoffice-check-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        began = time.monotonic()
        command = _install(folder)
        print(f"installed after {time.monotonic() - began:.0f} s")
        environment = {**os.environ, **_free_ports(), "BOXOFFICE_DATA_DIRECTORY": f"{name}/data"}
        with _running(command, folder, environment) as run:
            read_until(run, READY)
            print(f"ready after {time.monotonic() - began:.0f} s")
            _book(command, folder, environment)
            run.send_signal(signal.SIGTERM)
            said, _ = run.communicate(timeout=SECONDS)
            if run.returncode:
                sys.exit(f"It ended with {run.returncode}:\n{said}")
        print(f"booked and stopped after {time.monotonic() - began:.0f} s")


def _install(folder: Path) -> Path:
    """Builds the wheels and installs them; returns the path of the command `boxoffice`."""
    build(folder / "dist")
    client, server = (next((folder / "dist").glob(f"{name}-*.whl")) for name in NAMES)
    python = folder / "venv/bin/python"
    if uv := shutil.which("uv"):
        _run(uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        _run(sys.executable, "-m", "venv", str(folder / "venv"))
        install = [str(python), "-m", "pip", "install", "--quiet"]
    _run(*install, "--requirement", str(CHECKOUT / "requirements-run.txt"))
    # With dependencies, so that one which is not pinned is found.
    _run(*install, str(client), f"{server}[run]")
    return folder / "venv/bin/boxoffice"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _free_ports() -> dict[str, str]:
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: str(s.getsockname()[1]) for name, s in zip(PORTS, free, strict=True)}


@contextlib.contextmanager
def _running(command: Path, folder: Path, environment: dict[str, str]) -> Iterator[Run]:
    """Runs `boxoffice up` outside the checkout."""
    with subprocess.Popen(
        [command, "up"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            yield run
        finally:
            run.kill()


def _book(command: Path, folder: Path, environment: dict[str, str]) -> None:
    """Makes the first admin, who makes an event and books a seat; fetches what is in files."""
    subprocess.run(
        [command, "make-admin", EMAIL, "--create"],
        cwd=folder,
        env=environment,
        input=PASSWORD,
        text=True,
        check=True,
    )
    url = f"http://127.0.0.1:{environment['PORT']}"
    session = _post(f"{url}/auth/login", {"email": EMAIL, "password": PASSWORD})
    token = session["access_token"]
    event = _post(f"{url}/events", {"name": "From a wheel", "total_seats": 1}, token)
    booked = _post(f"{url}/api/bookings/reserve", {"event_id": event["id"]}, token)
    if booked["event_id"] != event["id"]:
        sys.exit(f"Another event was booked: {booked}")
    for page in ("/", "/docs", "/openapi.json", "/.well-known/jwks.json"):
        open_url(url + page, timeout_seconds=SECONDS).close()


def _post(url: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    """Sends a request; raises HTTPError for a refusal."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310
    with open_url(request, timeout_seconds=SECONDS) as response:
        answered: dict[str, Any] = json.load(response)
        return answered


if __name__ == "__main__":
    main()
