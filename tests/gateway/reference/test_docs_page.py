"""The documentation's pages come from the gateway alone."""

import re

import httpx
import pytest

from boxoffice.events.v1 import events_pb2, screenings_pb2
from tests.gateway.script import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    "path", ["/api", "/api-spec", "/docs", "/docs/", "/docs/errors", "/docs/first-steps"]
)
async def test_a_page_needs_nothing_from_elsewhere(
    client: httpx.AsyncClient, script: Script, path: str
) -> None:
    """The page would tell other hosts of its readers, or be blank without them."""
    page = await client.get(path, headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    loaded = re.findall(r'<(?:link|script|img)[^>]+(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for file in loaded:
        assert file == "data:," or (await client.get(file)).status_code == 200
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/docs/first-steps", "/docs/errors"])
async def test_a_page_leads_somewhere(client: httpx.AsyncClient, script: Script, path: str) -> None:
    """A reader would follow a link to nothing."""
    script.answers["ListEvents"] = lambda _: events_pb2.ListEventsResponse()
    script.answers["ListScreenings"] = lambda _: screenings_pb2.ListScreeningsResponse()
    page = await client.get(path)
    for target in re.findall(r'<a href="([^"]+)"', page.text):
        assert (await client.get(target)).status_code == 200


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui.css", "/docs/start.js"])
async def test_a_file_is_sent_once(client: httpx.AsyncClient, script: Script, path: str) -> None:
    """Each look at the page would transfer a megabyte."""
    answer = await client.get(path, headers={"accept-encoding": "gzip"})
    is_large = len(answer.content) > 1024
    assert ("content-encoding" in answer.headers) == is_large
    known = {"if-none-match": answer.headers["etag"], "accept-encoding": "gzip"}
    again = await client.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "public, max-age=3600"


async def test_the_document_is_served_as_json(client: httpx.AsyncClient, script: Script) -> None:
    """Tools would not find the document where they look for it."""
    answer = await client.get("/openapi.json", headers={"accept": "application/json"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["openapi"] == "3.1.0"
