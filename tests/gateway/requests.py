"""Requests for tests that need no HTTP."""

from gateway.exchange import Event, Request


async def nothing() -> Event:
    """Receives an empty body."""
    return {"type": "http.request", "body": b""}


def request(method: str, path: str) -> Request:
    """Makes a request without headers and body."""
    return Request(method, path, {}, b"", {}, "id", nothing)
