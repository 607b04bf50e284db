"""The pages come from the gateway alone, as a fixed list of files."""

import re
from pathlib import Path

import httpx
import orjson
import pytest

from gateway.pages import site
from gateway.settings import Settings
from tests.gateway.requests import request

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = site.routes(open_access=True, mailbox_url="", payment_providers=())
PATHS = [route.template for route in ROUTES]
IMPORT = re.compile(r'^(?:import|}) (?:.*from )?"([^"]+)";$', re.MULTILINE)


def files_of(path: str, text: str) -> list[str]:
    """Returns the paths of the files that a page or a script loads."""
    if path.endswith(".js"):
        base = httpx.URL(f"http://here{path}")
        return [base.join(name).path for name in IMPORT.findall(text)]
    return re.findall(r'<(?:link|script)[^>]+(?:src|href)="([^"]+)"', text)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_loads_files_of_the_gateway_only(client: httpx.AsyncClient, path: str) -> None:
    """A file could be missing, or come from another server."""
    page = await client.get(path, headers={"accept": "*/*"})
    assert page.status_code == 200
    for file in files_of(path, page.text):
        assert file in PATHS


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_allows_no_script_or_style_inside(
    client: httpx.AsyncClient, path: str
) -> None:
    """Text of an event could be run as a script."""
    page = await client.get(path)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    if page.headers["content-type"].startswith("text/html"):
        assert not re.search(r"<script>|<style| style=| on[a-z]+=", page.text)


async def test_a_browser_asks_whether_its_copy_is_current(client: httpx.AsyncClient) -> None:
    """Scripts of two versions could be mixed after an update."""
    page = await client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    again = await client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/pages/", "/pages/../site.py", "/pages/%2e%2e/site.py", "/pages/..%2fsite.py"]
)
async def test_other_files_are_not_served(client: httpx.AsyncClient, path: str) -> None:
    """The source code or a secret could be read."""
    response = await client.get(httpx.URL(f"{client.base_url}{path}"))
    assert response.status_code == 404


async def test_the_pages_know_whether_guests_may_book(client: httpx.AsyncClient) -> None:
    """Guests could be asked to sign in, or to book what is refused."""
    settings = await client.get("/pages/settings.json")
    assert settings.json().keys() == {"open_access", "mailbox_url", "has_test_cards"}


@pytest.mark.parametrize(
    ("providers", "has_test_cards"),
    [("sandbox", True), ("stripe,sandbox", False), ("", False)],
)
async def test_only_the_sandbox_has_test_cards(providers: str, *, has_test_cards: bool) -> None:
    """Buyers would be offered cards that no real provider takes."""
    settings = Settings.model_validate({"BOOKINGS_PAYMENT_PROVIDERS": providers})
    routes = site.routes(
        open_access=False, mailbox_url="", payment_providers=settings.payment_providers
    )
    [route] = [route for route in routes if route.template == "/pages/settings.json"]
    response = await route.handle(request("GET", route.template))
    assert orjson.loads(response.body)["has_test_cards"] is has_test_cards


async def test_each_library_has_its_licence() -> None:
    """The library could be passed on without the terms of its authors."""
    for library in (Path(site.__file__).parent / "static/vendor").iterdir():
        assert (library / "LICENSE").is_file()
