"""HTTP to our own machine, past any proxy that the environment names."""

import http.client
import urllib.request


def open_url(
    request: str | urllib.request.Request, *, timeout_seconds: float
) -> http.client.HTTPResponse:
    """Sends the request and returns the answer, to be closed. Raises OSError."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    response: http.client.HTTPResponse = opener.open(request, timeout=timeout_seconds)
    return response
