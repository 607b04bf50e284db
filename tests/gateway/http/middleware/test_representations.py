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
    """Wraps a route that always returns this response."""

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


async def test_a_large_response_is_compressed() -> None:
    """OpenAPI would take 131 kB instead of 20."""
    response = await represented(Response(200, TAGGED, LARGE))(asking(accept_encoding="br, gzip"))
    assert headers(response)[b"content-encoding"] == b"gzip"
    assert headers(response)[b"vary"] == b"Accept-Encoding"
    assert gzip.decompress(response.body) == LARGE


async def test_large_responses_vary_by_encoding() -> None:
    """A cache would serve a compressed body to a client that cannot read it."""
    response = await represented(Response(200, TAGGED, LARGE))(asking())
    assert response.body == LARGE
    assert headers(response)[b"vary"] == b"Accept-Encoding"
    assert b"content-encoding" not in headers(response)


@pytest.mark.parametrize(("body", "media_type"), [(b"x" * 1024, JSON), (b"x" * 5000, b"image/png")])
async def test_small_and_binary_bodies_are_not_compressed(body: bytes, media_type: bytes) -> None:
    """Every reservation would pay for a compression that saves nothing."""
    given = Response(200, TAGGED, body)
    layered = represented(given, Route("POST", "/", represented(given), media_type))
    assert await layered(asking("POST", accept_encoding="gzip", if_none_match="*")) is given


async def test_a_refusal_is_compressed_too() -> None:
    """Fifty violations would take more than one packet."""
    response = await represented(Response(422, (), LARGE))(asking("POST", accept_encoding="gzip"))
    assert response.status == 422
    assert gzip.decompress(response.body) == LARGE


async def test_a_response_of_megabytes_is_compressed_whole() -> None:
    """The thread that compresses it could cut it off."""
    body = random.Random(1).randbytes(WORTH_A_THREAD_BYTES).hex().encode()
    response = await represented(Response(200, (), body))(asking(accept_encoding="gzip"))
    assert gzip.decompress(response.body) == body


async def test_each_encoding_has_an_etag_of_its_own() -> None:
    """A cache could mix the bytes of two bodies that share a strong ETag."""
    response = await represented(Response(200, TAGGED, LARGE))(asking(accept_encoding="gzip"))
    assert headers(response)[b"etag"] == b'"16-gzip"'


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("if_none_match", ['"16"', 'W/"16"', '"1", "16-gzip"', "*"])
async def test_a_current_copy_is_not_sent_again(method: str, if_none_match: str) -> None:
    """Every poll would transfer the whole body, or a cache could not renew its copy."""
    handle = represented(Response(200, TAGGED, b"{}"))
    response = await handle(asking(method, if_none_match=if_none_match))
    assert (response.status, response.body) == (304, b"")
    assert headers(response) == {b"etag": b'"16"', b"cache-control": b"no-store"}


async def test_not_modified_names_the_encoding_that_the_client_would_get() -> None:
    """A cache would not find which of its copies is meant."""
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
async def test_only_a_successful_read_becomes_304(response: Response, method: str) -> None:
    """A client would not learn what its write did, or why its read was refused."""
    handle = represented(response, Route(method, "/", represented(response)))
    assert await handle(asking(method, if_none_match="*")) == response


async def test_a_constant_body_is_compressed_once() -> None:
    """The script of Swagger UI would take a quarter of a second each time."""
    response = Response(200, TAGGED, LARGE)
    route = replace(Route("GET", "/", represented(response)), is_constant=True)
    handle = represented(response, route)
    first, second = [await handle(asking(accept_encoding="gzip")) for _ in range(2)]
    assert gzip.decompress(first.body) == LARGE
    assert second.body is first.body
