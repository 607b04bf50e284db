"""Requests for tests that need no HTTP."""

from gateway.http.messages import Request


def request(method: str, path: str) -> Request:
    """Makes a request without headers and body."""
    return Request(method, path, {}, b"", {}, "id", b"")
