"""The page that shows the letters of the development run."""

import contextlib
import html
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, socket
from socketserver import BaseServer

from services.kit.process import loopback

HOSTS = {"localhost", loopback.IPV4, f"[{loopback.IPV6}]"}
_CODE = re.compile(r"^\s*(\d{6})\s*$", re.MULTILINE)
_PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="refresh" content="5">
    <title>Mailbox of Boxoffice</title>
    <style>body {{ font-family: sans-serif; max-width: 45em; margin: 2em auto }}</style>
  </head>
  <body>
    <h1>Mailbox</h1>
    {letters}
  </body>
</html>
"""
_LETTER = """<h2>{subject}</h2>
    <p>to {to}, at {time}</p>
    <pre>{text}</pre>"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as a person reads it."""

    arrived_at: datetime
    to: str
    subject: str
    text: str

    @property
    def code(self) -> str | None:
        """The code in the letter, if it has one."""
        found = _CODE.search(self.text)
        return found[1] if found else None


Letters = Callable[[], Sequence[Letter]]


@contextlib.contextmanager
def serve_page(letters: Letters, port: int) -> Iterator[int]:
    """Serves the page at a port of this machine while the block runs; yields the port."""
    handler = partial(_Handler, letters)
    with contextlib.ExitStack() as stack:
        for address in loopback.addresses("localhost"):
            server = _Server6 if ":" in address else ThreadingHTTPServer
            port = stack.enter_context(_answering(server((address, port), handler)))
        yield port


def page(letters: Sequence[Letter]) -> str:
    """Returns the page as HTML, with all texts of the letters escaped."""
    written = (
        _LETTER.format(
            subject=html.escape(letter.subject),
            to=html.escape(letter.to),
            time=f"{letter.arrived_at:%H:%M:%S} UTC",
            text=html.escape(letter.text),
        )
        for letter in letters
    )
    return _PAGE.format(letters="\n    ".join(written) or "<p>No letters yet.</p>")


@contextlib.contextmanager
def _answering(server: ThreadingHTTPServer) -> Iterator[int]:
    """Runs a server in a thread while the block runs; yields its port."""
    with server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Server6(ThreadingHTTPServer):
    """A server on an IPv6 address."""

    address_family = AF_INET6


class _Handler(BaseHTTPRequestHandler):
    """Serves the page at every path."""

    def __init__(
        self, letters: Letters, request: socket, address: tuple[str, int], server: BaseServer
    ) -> None:
        self._letters = letters
        super().__init__(request, address, server)

    def do_GET(self) -> None:
        """See BaseHTTPRequestHandler."""
        # Refuses DNS rebinding: a foreign page whose host name points to this machine.
        host = self.headers.get("Host", "").rpartition(":")[0]
        if host not in HOSTS:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        body = page(self._letters()).encode()
        self.send_response(HTTPStatus.OK)
        for name, value in (*_HEADERS.items(), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing: the page reloads itself every few seconds."""
