"""Stands in for the gateway: ready at once, and it remembers what is posted."""

import contextlib
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

EVENTS: dict[str, int] = {}
CINEMA: dict[str, list[dict[str, Any]]] = {}
"""What is posted below /api, by the last part of its path."""


class Handler(BaseHTTPRequestHandler):
    """Answers as the REST contract says."""

    def do_GET(self) -> None:
        """Answers /ready, /events, and lists below /api with what was posted."""
        path = self.path.partition("?")[0]
        if path.startswith("/api/"):
            self.answer(200, CINEMA.get(path.rpartition("/")[2], []))
            return
        self.answer(200, [{"id": number, "key": key} for key, number in EVENTS.items()])

    def do_POST(self) -> None:
        """Takes an event once, and anything below /api."""
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/api/"):
            posted = CINEMA.setdefault(self.path.rpartition("/")[2], [])
            posted.append({"rooms": [], **event, "id": 1 + len(posted)})
            self.answer(201, posted[-1])
        elif event["key"] in EVENTS:
            self.answer(409, {"error": "event_exists"})
        else:
            EVENTS[event["key"]] = 7 + len(EVENTS)
            self.answer(201, {**event, "id": EVENTS[event["key"]]})

    def answer(self, status: int, body: object) -> None:
        """Sends `body` as JSON."""
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


def stop(*_: object) -> None:
    """Prints a last line, if its output is still read, and ends."""
    # The server would swallow an exception that is raised during a request.
    with contextlib.suppress(BrokenPipeError):
        print('{"event": "stopped"}', flush=True)
    sys.exit()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
