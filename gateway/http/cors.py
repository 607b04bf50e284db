"""Browsers of other origins: which may call, and what they may send and read (CORS)."""

import re
from collections.abc import Sequence
from http import HTTPStatus

from gateway.http.messages import Handler, Header, Request, Response
from gateway.http.response_headers import HEADERS
from gateway.http.routing import UNMATCHED, Route

ANY = "*"
REMEMBERED_SECONDS = 7200
"""How long a browser need not ask again; no browser keeps it longer than two hours."""

SENT = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "X-Request-Id",
    ANY,
)
"""Headers that a page may send. All others mean nothing here, so they do no harm either."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?:[0-9]{1,5}|\*))?")
_VARY: Header = (b"vary", b"Origin")
_READABLE: Header = (b"access-control-expose-headers", ", ".join((*HEADERS, "Allow")).encode())
_ADMITTED: Sequence[Header] = (
    (b"access-control-allow-headers", ", ".join(SENT).encode()),
    (b"access-control-max-age", b"%d" % REMEMBERED_SECONDS),
)


def origin(text: str) -> str:
    """Reads a setting's origin, `https://shop.example:8443`, in lower case as browsers send it.

    The port may be `*` for every port; `*` alone is any origin. Raises ValueError.
    """
    named = text.lower()
    if named != ANY and not _ORIGIN.fullmatch(named):
        raise ValueError("must be origins like https://shop.example or http://localhost:*")
    return named


class Origins:
    """Lets pages of the given origins call every route, and read every header of the contract.

    Nobody is known by a cookie here, so what a page may do is what anybody may do.
    """

    def __init__(self, origins: Sequence[str]) -> None:
        self._admits_any = ANY in origins
        self._admitted = re.compile("|".join(map(_pattern, origins)).encode())

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        is_cacheable = route.method == "GET"

        async def shared(request: Request) -> Response:
            response = await handle(request)
            sender = request.headers.get(b"origin")
            if sender is None:
                # A cache may have it for somebody who comes from elsewhere.
                return _with(response, (_VARY,)) if is_cacheable else response
            if _is_preflight(route, request, response) and self._admits(sender):
                return _admission(response, (_VARY, self._allowed(sender)))
            return self.share(response, sender)

        return shared

    def share(self, response: Response, sender: bytes) -> Response:
        """Adds the headers that let a page of the origin `sender` read a response, if it may."""
        if not self._admits(sender):
            return _with(response, (_VARY,))
        return _with(response, (_VARY, self._allowed(sender), _READABLE))

    def _admits(self, sender: bytes) -> bool:
        return self._admits_any or self._admitted.fullmatch(sender) is not None

    def _allowed(self, sender: bytes) -> Header:
        return (b"access-control-allow-origin", b"*" if self._admits_any else sender)


def _pattern(named: str) -> str:
    if named.endswith(":*"):
        return re.escape(named.removesuffix(":*")) + r"(?::[0-9]{1,5})?"
    return re.escape(named)


def _is_preflight(route: Route, request: Request, response: Response) -> bool:
    """Returns whether a request is the preflight of a browser for a path that is served."""
    return (
        request.method == "OPTIONS"
        and route.template == UNMATCHED
        and response.status == HTTPStatus.METHOD_NOT_ALLOWED
        and b"access-control-request-method" in request.headers
    )


def _admission(response: Response, headers: Sequence[Header]) -> Response:
    """Answers a preflight with the methods that the path has."""
    methods = (b"access-control-allow-methods", dict(response.headers)[b"allow"])
    return Response(HTTPStatus.NO_CONTENT, (*headers, methods, *_ADMITTED), b"")


def _with(response: Response, headers: Sequence[Header]) -> Response:
    return response._replace(headers=(*response.headers, *headers))
