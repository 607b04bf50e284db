"""HTTP requests to this machine, without the proxies of the environment."""

import http.client
import secrets
import ssl
import urllib.request
from urllib.parse import urlsplit

from services.kit.process import loopback

REQUEST_ID = f"boxoffice-run-{secrets.token_hex(8)}"
"""Marks requests of the run itself, which its log does not show. Nobody else can guess it."""


def open_url(
    request: str | urllib.request.Request, *, timeout_seconds: float
) -> http.client.HTTPResponse:
    """Sends the request and returns the response, which the caller closes. Raises OSError.

    A certificate is checked unless the host is a loopback address: few certificates have one.
    """
    if isinstance(request, str):
        request = urllib.request.Request(request)  # noqa: S310 - the caller's own machine
    request.add_header("X-Request-Id", REQUEST_ID)
    handler = urllib.request.HTTPSHandler(context=_context(request.full_url))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), handler)
    response: http.client.HTTPResponse = opener.open(request, timeout=timeout_seconds)
    return response


def _context(url: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if loopback.is_loopback(urlsplit(url).hostname or ""):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
