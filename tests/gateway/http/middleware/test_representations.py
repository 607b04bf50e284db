"""Compressed answers, and those that are not sent again."""

import gzip
import random
from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.http.messages import JSON, Handler, Request, Response
from gateway.http.middleware.representations import WORTH_A_THREAD_BYTES, Representations
from gateway.http.routing import Route
from tests.gateway.requests import request

LARGE = b'{"name":"' + b"opera " * 300 + b'"}'
TAGGED = ((b"content-type", JSON), (b"etag", b'"16"'), (b"cache-control", b"no-store"))


def represented(response: Response, route: Route | None = None) -> Handler:
    """Puts the layer around a route that always gives this response."""

    async def handle(_: Request) -> Response:
        return response

    return Representations().wrap(route or Route("GET", "/", handle), handle)


def asking(method: str = "GET", **headers: str) -> Request:
    """Makes a request with headers."""
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return request(method, "/")._replace(headers=sent)


def headers(response: Response) -> Mapping[bytes, bytes]:
    """Maps the headers of a response."""
    return dict(response.headers)


async def test_a_large_answer_is_compressed_for_who_accepts_it() -> None:
    """131 kB of OpenAPI are 20."""
    response = await represented(Response(200, TAGGED, LARGE))(asking(accept_encoding="br, gzip"))
    assert headers(response)[b"content-encoding"] == b"gzip"
    assert headers(response)[b"vary"] == b"Accept-Encoding"
    assert gzip.decompress(response.body) == LARGE


async def test_a_cache_is_told_that_others_get_it_compressed() -> None:
    """It would hand what is compressed to a client that cannot read it."""
    response = await represented(Response(200, TAGGED, LARGE))(asking())
    assert response.body == LARGE
    assert headers(response)[b"vary"] == b"Accept-Encoding"
    assert b"content-encoding" not in headers(response)


@pytest.mark.parametrize(("body", "media_type"), [(b"x" * 1024, JSON), (b"x" * 5000, b"image/png")])
async def test_what_gains_nothing_is_sent_as_it_is(body: bytes, media_type: bytes) -> None:
    """The same response, not a copy: this is the way of every reservation."""
    given = Response(200, TAGGED, body)
    layered = represented(given, Route("POST", "/", represented(given), media_type))
    assert await layered(asking("POST", accept_encoding="gzip", if_none_match="*")) is given


async def test_a_refusal_is_compressed_too() -> None:
    """Fifty details are more than one packet."""
    response = await represented(Response(422, (), LARGE))(asking("POST", accept_encoding="gzip"))
    assert response.status == 422
    assert gzip.decompress(response.body) == LARGE


async def test_an_answer_of_megabytes_is_compressed_whole() -> None:
    """In a thread, as it takes long enough for others to notice."""
    body = random.Random(1).randbytes(WORTH_A_THREAD_BYTES).hex().encode()
    response = await represented(Response(200, (), body))(asking(accept_encoding="gzip"))
    assert gzip.decompress(response.body) == body


async def test_each_encoding_has_an_etag_of_its_own() -> None:
    """A strong ETag that two different bodies share lets a cache mix their bytes."""
    response = await represented(Response(200, TAGGED, LARGE))(asking(accept_encoding="gzip"))
    assert headers(response)[b"etag"] == b'"16-gzip"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("if_none_match", ['"16"', 'W/"16"', '"1", "16-gzip"', "*"])
async def test_what_a_client_has_is_not_sent_again(method: str, if_none_match: str) -> None:
    """304 without a body, with the headers that a cache renews its copy by."""
    handle = represented(Response(200, TAGGED, b"{}"))
    response = await handle(asking(method, if_none_match=if_none_match))
    assert (response.status, response.body) == (304, b"")
    assert headers(response) == {b"etag": b'"16"', b"cache-control": b"no-store"}


async def test_not_modified_names_the_encoding_that_the_client_would_get() -> None:
    """Otherwise a cache does not find which of its copies is meant."""
    handle = represented(Response(200, TAGGED, LARGE))
    response = await handle(asking(if_none_match='"16-gzip"', accept_encoding="gzip"))
    assert response.status == 304
    assert headers(response)[b"etag"] == b'"16-gzip"'
    assert headers(response)[b"vary"] == b"Accept-Encoding"
    assert b"content-encoding" not in headers(response)


@pytest.mark.parametrize(
    ("response", "method"),
    [
        (Response(200, TAGGED, b"{}"), "PATCH"),
        (Response(404, TAGGED, b"{}"), "GET"),
        (Response(200, (), b"{}"), "GET"),
    ],
)
async def test_only_a_read_that_succeeded_is_left_unsaid(response: Response, method: str) -> None:
    """A write must tell what it did, and a refusal why."""
    handle = represented(response, Route(method, "/", represented(response)))
    assert await handle(asking(method, if_none_match="*")) == response


async def test_what_never_changes_is_compressed_once() -> None:
    """The script of Swagger UI takes a quarter of a second."""
    response = Response(200, TAGGED, LARGE)
    route = replace(Route("GET", "/", represented(response)), is_constant=True)
    handle = represented(response, route)
    first, second = [await handle(asking(accept_encoding="gzip")) for _ in range(2)]
    assert gzip.decompress(first.body) == LARGE
    assert second.body is first.body
