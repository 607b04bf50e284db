"""Bodies that pass as bytes between client and service."""

import gzip
from typing import Any

import pytest
from google.api.httpbody_pb2 import HttpBody

from boxoffice.rest.v1 import rest_pb2
from gateway.contract import reader
from gateway.contract.messages import ContractError
from gateway.http.errors import UnsupportedMediaType
from gateway.http.messages import Request
from gateway.reference import openapi
from services.kit.rpc.errors import ValidationFailed
from tests.gateway import sample
from tests.gateway.bindings import ruled
from tests.gateway.requests import request

MAP = b'[{"seat_id":1}' + b',{"seat_id":2}' * 200 + b"]"
SQUEEZED = gzip.compress(MAP, mtime=0)


def render(asked: Any) -> Any:
    """Renders a map as a service does that keeps it compressed."""
    encoding, data = ("gzip", SQUEEZED) if asked.accepts_gzip else ("", MAP)
    is_known = asked.if_none_match == '"v1"'
    return sample.message(
        "RenderMapResponse",
        body=None if is_known else HttpBody(content_type="application/json", data=data),
        entity_tag="v1",
        encoding=encoding,
        not_modified=is_known,
    )


def asking(**headers: str) -> Request:
    """Makes a request for the map."""
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return request("GET", "/maps/7")._replace(variables={"map_id": "7"}, headers=sent)


@pytest.mark.parametrize(
    ("accepted", "body", "tag"), [("", MAP, b'"v1"'), ("br, gzip", SQUEEZED, b'"v1-gzip"')]
)
async def test_a_body_passes_as_its_service_compressed_it(
    accepted: str, body: bytes, tag: bytes
) -> None:
    """Megabytes would be compressed twice, or a cache would mix up the two representations."""
    response = await sample.endpoint("RenderMap", render)(asking(accept_encoding=accepted))
    headers = dict(response.headers)
    assert (response.status, response.body) == (200, body)
    assert (headers[b"etag"], headers[b"vary"]) == (tag, b"Accept-Encoding")
    assert headers.get(b"content-encoding") == (b"gzip" if body is SQUEEZED else None)
    assert headers[b"content-type"] == b"application/json"
    assert headers[b"cache-control"] == b"no-store"


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
async def test_a_service_says_that_nothing_changed(accepted: str) -> None:
    """A map that the client has would be rendered and sent again."""
    handle = sample.endpoint("RenderMap", render)
    tag = dict((await handle(asking(accept_encoding=accepted))).headers)[b"etag"].decode()
    response = await handle(asking(accept_encoding=accepted, if_none_match=tag))
    headers = dict(response.headers)
    assert (response.status, response.body) == (304, b"")
    assert headers[b"etag"].decode() == tag
    assert not headers.keys() & {b"content-type", b"content-encoding"}


async def test_a_response_may_be_bytes_and_nothing_else() -> None:
    """A picture would be sent as JSON, or under another media type than its own."""
    drawn = HttpBody(content_type="image/png", data=b"\x89PNG" * 500)
    handle = sample.endpoint("DrawCode", lambda _: drawn)
    asked = request("GET", "/codes/1")._replace(variables={"code_id": "1"})
    response = await handle(asked._replace(headers={b"accept-encoding": b"gzip"}))
    assert response.body == drawn.data
    assert dict(response.headers)[b"content-type"] == b"image/png"


def importing(body: bytes, **headers: str) -> Request:
    """Makes a request that imports a file."""
    sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    asked = request("POST", "/imports/a")
    return asked._replace(variables={"name": "a"}, headers=sent, body=body)


async def test_a_request_of_any_type_reaches_its_service_as_it_is() -> None:
    """A signature would not fit: JSON that is read and written again has other bytes."""
    seen: list[Any] = []

    def take(asked: Any) -> Any:
        seen.append(asked)
        return sample.message("ImportResponse", bytes=len(asked.file.data))

    handle = sample.endpoint("Import", take)
    response = await handle(importing(b"a;b\r\n\xff", content_type="text/csv; header=present"))
    assert response.body == b'{"bytes":6}'
    assert seen[0].file.content_type == "text/csv; header=present"
    assert (seen[0].name, seen[0].file.data) == ("a", b"a;b\r\n\xff")


async def test_a_raw_body_that_cannot_be_meant_is_refused() -> None:
    """The service would store nothing, or bytes that are compressed."""
    handle = sample.endpoint("Import", lambda _: sample.message("ImportResponse"))
    with pytest.raises(ValidationFailed) as refused:
        await handle(importing(b"", content_type="text/csv"))
    assert [violation.path for violation in refused.value.violations] == ["file"]
    with pytest.raises(UnsupportedMediaType):
        await handle(importing(b"x", content_type="text/csv", content_encoding="gzip"))


def test_the_documentation_shows_what_the_bytes_are() -> None:
    """A generated client would take a map for Base64."""
    bindings = [sample.binding(name) for name in ("RenderMap", "DrawCode", "Import")]
    paths = openapi.document(bindings, {})["paths"]
    shown = paths["/maps/{map_id}"]["get"]
    assert shown["responses"]["200"]["content"]["application/json"]["schema"] == {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Seat"},
    }
    assert "content" not in shown["responses"]["304"]
    assert "content-encoding" not in {name.lower() for name in shown["responses"]["200"]["headers"]}
    assert [parameter["name"] for parameter in shown["parameters"]] == ["map_id", "If-None-Match"]
    assert list(paths["/codes/{code_id}"]["get"]["responses"]["200"]["content"]) == ["image/png"]
    assert list(paths["/imports/{name}"]["post"]["requestBody"]["content"]) == ["*/*"]


@pytest.mark.parametrize(
    "rule", [rest_pb2.MethodRule(media_type="image/png"), rest_pb2.MethodRule(shown_as="x.Seat")]
)
def test_json_of_fields_has_no_other_type(rule: rest_pb2.MethodRule) -> None:
    """The documentation would promise what is never sent."""
    with pytest.raises(ContractError, match="media type"):
        reader.check(ruled("GetEvent", rule))
