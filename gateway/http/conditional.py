"""Which representation of a response a client gets: compressed, or none where it has it already."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from gateway.http.headers import GZIP_SUFFIX, accepts_gzip, is_among
from gateway.http.messages import JSON, Handler, Header, Request, Response
from gateway.http.routing import Route

WORTH_COMPRESSING_BYTES = 1024
"""Smaller bodies fit into one packet as they are."""

WORTH_A_THREAD_BYTES = 64 * 1024
"""Compressing more than this takes a millisecond, for which no other request should wait."""

FAST, SMALL = 1, 9
"""Levels of compression, for what is made anew each time and for what is compressed once."""

_COMPRESSIBLE = frozenset({JSON, b"text/css", b"text/html", b"text/javascript", b"text/plain"})
_VARY: Header = (b"vary", b"Accept-Encoding")
_GZIP: Header = (b"content-encoding", b"gzip")
_OF_CONTENT = frozenset({b"content-type", b"content-encoding"})

Compress = Callable[[bytes], Awaitable[bytes]]


class Representations:
    """Compresses large answers for clients that accept it, and answers 304 to `If-None-Match`.

    A compressed response has an ETag of its own, which `headers` reads as that of the plain one.
    """

    def wrap(self, route: Route, handle: Handler) -> Handler:
        """See Layer."""
        is_read = route.method == "GET"
        is_compressible = route.media_type in _COMPRESSIBLE
        compress = _once() if route.is_constant else _compressed

        async def represented(request: Request) -> Response:
            response = await handle(request)
            is_gzip = False
            if len(response.body) > WORTH_COMPRESSING_BYTES and is_compressible:
                is_gzip = accepts_gzip(request.headers.get(b"accept-encoding", b""))
                response = response._replace(headers=_described(response.headers, is_gzip=is_gzip))
            if is_read and _is_known(response, request.headers.get(b"if-none-match")):
                return _not_modified(response)
            return response._replace(body=await compress(response.body)) if is_gzip else response

        return represented


def _described(headers: Sequence[Header], *, is_gzip: bool) -> Sequence[Header]:
    """Adds that the encoding depends on the client, and which it is."""
    if not is_gzip:
        return (*headers, _VARY)
    tagged = ((name, _of_gzip(value) if name == b"etag" else value) for name, value in headers)
    return (*tagged, _VARY, _GZIP)


def _of_gzip(tag: bytes) -> bytes:
    return tag.removesuffix(b'"') + GZIP_SUFFIX + b'"'


def _is_known(response: Response, if_none_match: bytes | None) -> bool:
    if if_none_match is None or response.status != HTTPStatus.OK:
        return False
    tag = dict(response.headers).get(b"etag")
    return tag is not None and is_among(tag, if_none_match)


def _not_modified(response: Response) -> Response:
    headers = [header for header in response.headers if header[0] not in _OF_CONTENT]
    return Response(HTTPStatus.NOT_MODIFIED, headers, b"")


async def _compressed(body: bytes) -> bytes:
    if len(body) > WORTH_A_THREAD_BYTES:
        return await asyncio.to_thread(gzip.compress, body, FAST, mtime=0)
    return gzip.compress(body, FAST, mtime=0)


def _once() -> Compress:
    """Returns a function that compresses the body of a route once, at its first request."""
    kept: list[asyncio.Task[bytes]] = []

    async def compress(body: bytes) -> bytes:
        if not kept:
            work = asyncio.to_thread(gzip.compress, body, SMALL, mtime=0)
            kept.append(asyncio.create_task(work))
        return await asyncio.shield(kept[0])

    return compress
