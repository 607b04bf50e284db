"""HTTP to our own machine, past any proxy that the environment names."""

import http.client
import urllib.request

REQUEST_ID = "boxoffice-run"
"""What the requests of the run itself are called, so that its log need not show them."""


def open_url(
    request: str | urllib.request.Request, *, timeout_seconds: float
) -> http.client.HTTPResponse:
    """Sends the request and returns the answer, to be closed. Raises OSError."""
    if isinstance(request, str):
        request = urllib.request.Request(request)  # noqa: S310 - the caller's own machine
    request.add_header("X-Request-Id", REQUEST_ID)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    response: http.client.HTTPResponse = opener.open(request, timeout=timeout_seconds)
    return response
