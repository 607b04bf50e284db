"""HTTP requests to this machine, without the proxies of the environment."""

import http.client
import secrets
import urllib.request

REQUEST_ID = f"boxoffice-run-{secrets.token_hex(8)}"
"""Marks requests of the run itself, which its log does not show. Nobody else can guess it."""


def open_url(
    request: str | urllib.request.Request, *, timeout_seconds: float
) -> http.client.HTTPResponse:
    """Sends the request and returns the response, which the caller closes. Raises OSError."""
    if isinstance(request, str):
        request = urllib.request.Request(request)  # noqa: S310 - the caller's own machine
    request.add_header("X-Request-Id", REQUEST_ID)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    response: http.client.HTTPResponse = opener.open(request, timeout=timeout_seconds)
    return response
