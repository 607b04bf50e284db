"""Cross-origin requests of browsers."""

from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from gateway.http.app import App
from gateway.http.client_address import FORWARDED_FOR, ClientAddresses
from gateway.http.messages import Request, Response
from gateway.http.middleware.stack import middleware_stack
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.response_headers import HEADERS
from gateway.http.routing import Route
from gateway.settings import Settings
from tests.gateway.requests import request

LOCAL = ("http://localhost:*", "http://[::1]:*", "https://shop.example")


async def ask(
    method: str, path: str, *, origins: tuple[str, ...] = LOCAL, **headers: str
) -> tuple[int, Mapping[str, str]]:
    """Requests a path of an application with two routes; returns the status and the headers."""

    async def handle(_: Request) -> Response:
        return Response(200, (), b"{}")

    routes = [Route(verb, "/things", handle) for verb in ("GET", "POST")]
    stack = middleware_stack(
        log_sample=0,
        slow_seconds=60,
        max_requests=9,
        streams=StreamLimit(ClientAddresses((), FORWARDED_FOR), max_streams=0, address_streams=0),
        cors_origins=origins,
    )
    app = App(routes, stack)
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    asked = request(method, path)._replace(headers=sent)
    response = await app.find(method, path).route.handle(asked)
    found = [(name.decode(), value.decode()) for name, value in response.headers]
    joined = {name: ", ".join(v for n, v in found if n == name) for name, _ in found}
    return response.status, joined


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:5173", "http://[::1]:80", "https://shop.example"],
)
async def test_a_preflight_is_answered(origin: str) -> None:
    """With 405 no page of another origin could send JSON or a key."""
    status, headers = await ask(
        "OPTIONS", "/things", origin=origin, access_control_request_method="POST"
    )
    assert status == 204
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-methods"] == "GET, HEAD, POST"
    allowed = headers["access-control-allow-headers"].split(", ")
    assert {"Authorization", "Content-Type", "Idempotency-Key", "If-Match"} <= set(allowed)
    assert headers["vary"] == "Origin"
    assert headers["access-control-max-age"] == "7200"
    assert "access-control-allow-credentials" not in headers


async def test_a_page_reads_every_header_of_the_contract() -> None:
    """A browser hides all others, and with them the ETag, the next page and how long to wait."""
    status, headers = await ask("GET", "/things", origin="http://localhost:5173")
    assert status == 200
    assert headers["access-control-allow-origin"] == "http://localhost:5173"
    exposed = headers["access-control-expose-headers"].split(", ")
    assert {*HEADERS, "Allow"} == set(exposed)
    assert {"X-Seats-Left", "X-Waiting-Position", "RateLimit-Policy", "Link"} <= set(exposed)


@pytest.mark.parametrize("path", ["/nothing", "/things"])
async def test_a_page_can_read_a_refusal(path: str) -> None:
    """Without the header a page sees a network error instead of the code."""
    status, headers = await ask("PUT", path, origin="http://localhost")
    assert status in {404, 405}
    assert headers["access-control-allow-origin"] == "http://localhost"


@pytest.mark.parametrize(
    "origin",
    [
        "https://localhost",
        "http://localhost.evil.example",
        "http://localhost:1.evil.example",
        "http://evil.example",
        "https://shop.example:8443",
        "https://shopXexample",
        "null",
        "",
    ],
)
async def test_other_origins_are_not_allowed(origin: str) -> None:
    """A page of an origin that resembles an allowed one could act for its visitors."""
    preflight, headers = await ask(
        "OPTIONS", "/things", origin=origin, access_control_request_method="POST"
    )
    assert preflight == 405
    assert not [name for name in headers if name.startswith("access-control")]
    _, headers = await ask("GET", "/things", origin=origin)
    assert headers == {"vary": "Origin"}


async def test_every_origin_can_be_allowed() -> None:
    """A response for one origin only would be of no use to caches."""
    _, headers = await ask("GET", "/things", origins=("*",), origin="null")
    assert headers["access-control-allow-origin"] == "*"


async def test_responses_vary_by_origin() -> None:
    """A cache would serve a response without the headers to a page that needs them."""
    assert await ask("GET", "/things") == (200, {"vary": "Origin"})
    assert await ask("POST", "/things") == (200, {})


async def test_no_origin_is_allowed_by_default() -> None:
    """Any page could call a gateway in production that nobody configured."""
    assert Settings().cors_origins == ()
    status, headers = await ask(
        "OPTIONS",
        "/things",
        origins=(),
        origin="http://localhost",
        access_control_request_method="GET",
    )
    assert status == 405
    assert "access-control-allow-origin" not in headers


async def test_plain_options_is_no_preflight() -> None:
    """OPTIONS would succeed at paths that have no such method."""
    status, headers = await ask("OPTIONS", "/things", origin="http://localhost")
    assert status == 405
    assert headers["allow"] == "GET, HEAD, POST"


def test_origins_are_parsed_as_browsers_send_them() -> None:
    """An origin in capitals would never match."""
    read = Settings(cors_origins="https://Shop.example, http://localhost:*")
    assert read.cors_origins == ("https://shop.example", "http://localhost:*")


@pytest.mark.parametrize(
    "value", ["shop.example", "https://shop.example/", "https://*.example", "ftp://x", "null"]
)
def test_an_invalid_origin_is_refused(value: str) -> None:
    """It would never match, and its operator would look for the fault elsewhere."""
    with pytest.raises(ValidationError, match="must be origins"):
        Settings(cors_origins=value)
