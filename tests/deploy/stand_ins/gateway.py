"""Stands in for the gateway: ready at once, and it remembers what was created."""

import contextlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

EVENTS: dict[str, int] = {}
RESOURCES: dict[str, list[dict[str, Any]]] = {}
"""All but events, by the paths that they were posted to."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the REST contract says."""

    def do_GET(self) -> None:
        """Answers /ready, and lists with what was posted."""
        path = urlsplit(self.path).path
        if path.startswith("/api/"):
            self.answer(200, RESOURCES.get(path, []))
        else:
            self.answer(200, [{"id": number, "key": key} for key, number in EVENTS.items()])

    def do_POST(self) -> None:
        """Takes an event once, and anything else each time."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/events":
            self.answer(201, created(self.path, body))
        elif body["key"] in EVENTS:
            self.answer(409, {"error": "event_exists"})
        else:
            EVENTS[body["key"]] = 7 + len(EVENTS)
            self.answer(201, {**body, "id": EVENTS[body["key"]]})

    def answer(self, status: int, body: object) -> None:
        """Sends `body` as JSON."""
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


def forget() -> None:
    """Forgets all that was created."""
    EVENTS.clear()
    RESOURCES.clear()


def created(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Remembers a resource and returns it; a room is in the list of its theater, too."""
    resources = RESOURCES.setdefault(path, [])
    resource = {**body, "id": len(resources) + 1}
    resources.append(resource)
    if path == "/api/theaters":
        resource["rooms"] = []
    elif path.endswith("/rooms"):
        theater = RESOURCES["/api/theaters"][int(path.split("/")[3]) - 1]
        theater["rooms"].append(resource)
    return resource


def stop(*_: object) -> None:
    """Prints a last line, if its output is still read, and ends."""
    # The server would swallow an exception that is raised during a request.
    with contextlib.suppress(BrokenPipeError):
        print('{"event": "stopped"}', flush=True)
    sys.exit()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
