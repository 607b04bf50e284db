"""Routes of the documentation, whose files the gateway has itself."""

from collections.abc import Sequence
from pathlib import Path

import orjson

from gateway.contract import comments
from gateway.contract.bindings import Binding
from gateway.http.files import HTML, constant_route, content_type, file_route
from gateway.http.messages import Header
from gateway.http.routing import Route
from gateway.reference import error_page, openapi
from gateway.reference.first_steps import FirstSteps

PAGES = ("/api", "/api-spec", "/docs")
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'"
)
SECURITY: tuple[Header, ...] = (
    (b"content-security-policy", POLICY),
    (b"referrer-policy", b"no-referrer"),
)
KEPT: Sequence[Header] = (*SECURITY, (b"cache-control", b"public, max-age=3600"))


def routes(
    bindings: Sequence[Binding], *, open_access: bool, mailbox_url: str, scheme: str = "http"
) -> Sequence[Route]:
    """Returns the routes of the documentation."""
    contract_comments = comments.load()
    own = Path(__file__).parent / "static"
    vendor = own / "swagger-ui"
    scripts = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
    document = orjson.dumps(openapi.document(bindings, contract_comments))
    errors = error_page.page(contract_comments)
    headers = (content_type(HTML), *SECURITY, (b"cache-control", b"no-cache"))
    first_steps = FirstSteps(
        open_access=open_access, mailbox_url=mailbox_url, headers=headers, scheme=scheme
    )
    return (
        constant_route("/openapi.json", document, KEPT, name="openapi.json"),
        *(
            file_route(f"{path}{end}", own / "docs.html", KEPT)
            for path in PAGES
            for end in ("", "/")
        ),
        Route("GET", "/docs/first-steps", first_steps, media_type=HTML),
        constant_route("/docs/errors", errors, KEPT, name="errors.html"),
        *(file_route(f"/docs/{name}", vendor / name, KEPT) for name in scripts),
        *(
            file_route(f"/docs/{name}", own / name, KEPT)
            for name in ("docs.css", "start.js", "style.css")
        ),
    )
