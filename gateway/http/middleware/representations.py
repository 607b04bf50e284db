"""Compresses bodies, and answers 304 without a body if the client has it already."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from gateway.http.headers import GZIP_SUFFIX, accepts_gzip, etag_matches
from gateway.http.messages import JSON, Handler, Header, Request, Response
from gateway.http.routing import Route

WORTH_COMPRESSING_BYTES = 1024
"""Smaller bodies fit into one packet as they are."""

WORTH_A_THREAD_BYTES = 64 * 1024
"""Compressing more than this takes a millisecond, for which no other request should wait."""

FAST, SMALL = 1, 9
"""Levels of compression: for a body of one response, and for a constant body."""

_COMPRESSIBLE = frozenset({JSON, b"text/css", b"text/html", b"text/javascript", b"text/plain"})
_VARY: Header = (b"vary", b"Accept-Encoding")
_GZIP: Header = (b"content-encoding", b"gzip")
_CONTENT_HEADERS = frozenset({b"content-type", b"content-encoding"})

Compress = Callable[[bytes], Awaitable[bytes]]


class Representations:
    """Compresses large responses for clients that accept it, and answers 304 to `If-None-Match`.

    A compressed response has an ETag of its own; `headers.etag_matches` accepts either. The
    response of a route that `has_encoding` is left as it is.
    """

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Middleware."""
        is_read = route.method == "GET"
        is_compressible = route.media_type in _COMPRESSIBLE and not route.has_encoding
        compress = _compress_once() if route.is_constant else _compressed

        async def represented(request: Request) -> Response:
            response = await handle(request)
            if route.has_encoding:
                response = _encoded(response)
            is_gzip = False
            if len(response.body) > WORTH_COMPRESSING_BYTES and is_compressible:
                is_gzip = accepts_gzip(request.headers.get(b"accept-encoding", b""))
                response = response._replace(
                    headers=_encoding_headers(response.headers, is_gzip=is_gzip)
                )
            is_current = is_read and _is_current(response, request.headers.get(b"if-none-match"))
            if is_current or response.status == HTTPStatus.NOT_MODIFIED:
                return _not_modified(response)
            return response._replace(body=await compress(response.body)) if is_gzip else response

        return represented


def _encoded(response: Response) -> Response:
    """Adds the headers to a response that its route has compressed or left plain."""
    is_gzip = _GZIP in response.headers
    headers = _tagged(response.headers) if is_gzip else response.headers
    return response._replace(headers=(*headers, _VARY))


def _encoding_headers(headers: Sequence[Header], *, is_gzip: bool) -> Sequence[Header]:
    """Adds `Vary`, and for gzip the encoding and its ETag."""
    return (*_tagged(headers), _VARY, _GZIP) if is_gzip else (*headers, _VARY)


def _tagged(headers: Sequence[Header]) -> Sequence[Header]:
    return [(name, _gzip_etag(value) if name == b"etag" else value) for name, value in headers]


def _gzip_etag(tag: bytes) -> bytes:
    return tag.removesuffix(b'"') + GZIP_SUFFIX + b'"'


def _is_current(response: Response, if_none_match: bytes | None) -> bool:
    if if_none_match is None or response.status != HTTPStatus.OK:
        return False
    tag = dict(response.headers).get(b"etag")
    return tag is not None and etag_matches(tag, if_none_match)


def _not_modified(response: Response) -> Response:
    headers = [header for header in response.headers if header[0] not in _CONTENT_HEADERS]
    return Response(HTTPStatus.NOT_MODIFIED, headers, b"")


async def _compressed(body: bytes) -> bytes:
    if len(body) > WORTH_A_THREAD_BYTES:
        return await asyncio.to_thread(gzip.compress, body, FAST, mtime=0)
    return gzip.compress(body, FAST, mtime=0)


def _compress_once() -> Compress:
    """Returns a function that compresses a constant body at its first request only."""
    tasks: list[asyncio.Task[bytes]] = []

    async def compress(body: bytes) -> bytes:
        if not tasks:
            work = asyncio.to_thread(gzip.compress, body, SMALL, mtime=0)
            tasks.append(asyncio.create_task(work))
        return await asyncio.shield(tasks[0])

    return compress
