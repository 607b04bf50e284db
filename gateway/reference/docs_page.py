"""Routes of the start page and of the documentation, whose files the gateway has itself."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import orjson

from gateway.contract import comments
from gateway.contract.bindings import Binding
from gateway.http.messages import JSON, Handler, Header, Request, Response
from gateway.http.routing import Route
from gateway.reference import error_page, openapi
from gateway.reference.home import Home

HTML = b"text/html"
UTF_8 = b"; charset=utf-8"
PAGES = ("/api", "/api-spec", "/docs")
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
SECURITY: tuple[Header, ...] = (
    (
        b"content-security-policy",
        POLICY,
    ),
    (b"referrer-policy", b"no-referrer"),
)
HOUR = ((b"cache-control", b"public, max-age=3600"),)
MEDIA_TYPES = {
    ".css": b"text/css",
    ".html": HTML,
    ".js": b"text/javascript",
    ".json": JSON,
    ".png": b"image/png",
}


def routes(bindings: Sequence[Binding], *, open_access: bool, mailbox_url: str) -> Sequence[Route]:
    """Returns the routes of the start page and of the documentation."""
    contract_comments = comments.load()
    own = Path(__file__).parent / "static"
    vendor = own / "swagger-ui"
    scripts = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
    headers = ((b"content-type", HTML + UTF_8), *SECURITY, (b"cache-control", b"no-cache"))
    home = Home(open_access=open_access, mailbox_url=mailbox_url, headers=headers)
    return (
        Route("GET", "/", home, media_type=HTML),
        _route("/openapi.json", orjson.dumps(openapi.document(bindings, contract_comments))),
        *(_file(f"{path}{end}", own / "docs.html") for path in PAGES for end in ("", "/")),
        _route("/docs/errors", error_page.page(contract_comments), name="errors.html"),
        *(_file(f"/docs/{name}", vendor / name) for name in scripts),
        *(_file(f"/docs/{name}", own / name) for name in ("docs.css", "start.js", "style.css")),
    )


def _file(path: str, file: Path) -> Route:
    return _route(path, file.read_bytes(), name=file.name)


def _route(path: str, body: bytes, name: str = "openapi.json") -> Route:
    media_type = MEDIA_TYPES[Path(name).suffix]
    charset = UTF_8 if media_type.startswith(b"text/") else b""
    etag = b'"%b"' % hashlib.sha256(body).hexdigest()[:16].encode()
    headers = ((b"content-type", media_type + charset), (b"etag", etag), *SECURITY, *HOUR)
    handle = _constant(Response(200, headers, body))
    return Route("GET", path, handle, media_type=media_type, is_constant=True)


def _constant(response: Response) -> Handler:
    async def handle(_: Request) -> Response:
        return response

    return handle
