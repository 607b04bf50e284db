"""Routes of files that the gateway has itself: pages, their scripts and pictures."""

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePath

from gateway.http.messages import JSON, Handler, Header, Request, Response
from gateway.http.routing import Route

HTML = b"text/html"
MEDIA_TYPES = {
    ".css": b"text/css",
    ".html": HTML,
    ".js": b"text/javascript",
    ".json": JSON,
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
}
_UTF_8 = b"; charset=utf-8"


def content_type(media_type: bytes) -> Header:
    """Returns the header of a media type; text is in UTF-8."""
    charset = _UTF_8 if media_type.startswith(b"text/") else b""
    return (b"content-type", media_type + charset)


def file_route(path: str, file: Path, headers: Sequence[Header]) -> Route:
    """Returns the route of a file, which is read now."""
    return constant_route(path, file.read_bytes(), headers, name=file.name)


def constant_route(path: str, body: bytes, headers: Sequence[Header], *, name: str) -> Route:
    """Returns the route of a body that never changes; its media type follows from `name`."""
    media_type = MEDIA_TYPES[PurePath(name).suffix]
    etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:16].encode()
    response = Response(200, (content_type(media_type), (b"etag", etag), *headers), body)
    return Route("GET", path, _always(response), media_type=media_type, is_constant=True)


def _always(response: Response) -> Handler:
    async def handle(_: Request) -> Response:
        return response

    return handle
