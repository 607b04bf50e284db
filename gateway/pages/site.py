"""Routes of the pages: a fixed list of the files in `static/`, and the settings that they need."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from gateway.http.files import constant_route, file_route
from gateway.http.messages import Header
from gateway.http.routing import Route

FILES = Path(__file__).parent / "static"
SERVED = {".css", ".html", ".js", ".svg"}
AT_THE_ROOT = {"index.html": "/", "seat-reservation-demo.html": "/seat-reservation-demo.html"}
"""Pages whose path does not begin with `/pages`."""

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types lit-html"
)
HEADERS: Sequence[Header] = (
    # A browser asks each time whether its copy is current: scripts of two versions never mix.
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", POLICY),
    (b"permissions-policy", b"camera=(self), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
)


def routes(
    *, open_access: bool, mailbox_url: str, payment_providers: Sequence[str]
) -> Sequence[Route]:
    """Returns the routes of all pages; without a mailbox its URL is empty."""
    settings = orjson.dumps(
        {
            "open_access": open_access,
            "mailbox_url": mailbox_url,
            "has_test_cards": payment_providers[:1] == ("sandbox",),
        }
    )
    return (
        constant_route("/pages/settings.json", settings, HEADERS, name="settings.json"),
        *(file_route(path, file, HEADERS) for path, file in _files()),
    )


def _files() -> Iterator[tuple[str, Path]]:
    for file in sorted(FILES.rglob("*")):
        if file.suffix in SERVED:
            name = file.relative_to(FILES).as_posix()
            yield AT_THE_ROOT.get(name, f"/pages/{name}"), file
