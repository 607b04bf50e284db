"""Cross-origin requests of browsers (CORS): which origins may call, what they send and read."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from gateway.http.messages import Handler, Header, Request, Response
from gateway.http.response_headers import HEADERS
from gateway.http.routing import UNMATCHED, Route

ANY = "*"
PREFLIGHT_CACHE_SECONDS = 7200
"""How long a browser may keep a preflight's response; none keeps it longer than two hours."""

ALLOWED_HEADERS = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "X-Queue-Token",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
    ANY,
)
"""Headers that a page may send. All others have no meaning here, so they do no harm."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?:[0-9]{1,5}|\*))?")
_VARY: Header = (b"vary", b"Origin")
_EXPOSED_HEADERS: Header = (
    b"access-control-expose-headers",
    ", ".join((*HEADERS, "Allow")).encode(),
)
_PREFLIGHT_HEADERS: Sequence[Header] = (
    (b"access-control-allow-headers", ", ".join(ALLOWED_HEADERS).encode()),
    (b"access-control-max-age", b"%d" % PREFLIGHT_CACHE_SECONDS),
)


def parse_origin(text: str) -> str:
    """Parses an origin, `https://shop.example:8443`, into lower case as browsers send it.

    The port may be `*` for every port; `*` alone is any origin. Raises ValueError.
    """
    origin = text.lower()
    if origin != ANY and not _ORIGIN.fullmatch(origin):
        raise ValueError("must be origins like https://shop.example or http://localhost:*")
    return origin


class Cors:
    """Lets pages of the given origins call every route, and read every header of the contract.

    No cookie identifies a caller here, so a page may do only what any other client may do.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._allows_any = ANY in origins
        self._allowed = re.compile("|".join(map(_pattern, origins)).encode())

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        is_cacheable = route.method == "GET"

        async def shared(request: Request) -> Response:
            response = await handle(request)
            origin = request.headers.get(b"origin")
            if origin is None:
                # A cache may keep the response for a page of another origin.
                return _with_headers(response, (_VARY,)) if is_cacheable else response
            if _is_preflight(route, request, response) and self._allows(origin):
                return _preflight_response(response, (_VARY, self._allow_origin(origin)))
            return self.share(response, origin)

        return shared

    def share(self, response: Response, origin: bytes) -> Response:
        """Adds the headers that let a page of an allowed origin read a response."""
        if not self._allows(origin):
            return _with_headers(response, (_VARY,))
        return _with_headers(response, (_VARY, self._allow_origin(origin), _EXPOSED_HEADERS))

    def _allows(self, origin: bytes) -> bool:
        return self._allows_any or self._allowed.fullmatch(origin) is not None

    def _allow_origin(self, origin: bytes) -> Header:
        return (b"access-control-allow-origin", b"*" if self._allows_any else origin)


def _pattern(origin: str) -> str:
    if origin.endswith(":*"):
        return re.escape(origin.removesuffix(":*")) + r"(?::[0-9]{1,5})?"
    return re.escape(origin)


def _is_preflight(route: Route, request: Request, response: Response) -> bool:
    """Returns whether a request is a browser's preflight for a path that exists."""
    return (
        request.method == "OPTIONS"
        and route.template == UNMATCHED
        and response.status == HTTPStatus.METHOD_NOT_ALLOWED
        and b"access-control-request-method" in request.headers
    )


def _preflight_response(response: Response, headers: Sequence[Header]) -> Response:
    """Turns the 405 that routing gave into a preflight's response with the allowed methods."""
    methods = (b"access-control-allow-methods", dict(response.headers)[b"allow"])
    return Response(HTTPStatus.NO_CONTENT, (*headers, methods, *_PREFLIGHT_HEADERS), b"")


def _with_headers(response: Response, headers: Sequence[Header]) -> Response:
    return response._replace(headers=(*response.headers, *headers))
