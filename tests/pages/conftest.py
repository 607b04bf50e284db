"""A browser, a running system, and pages that must not break a rule while a test uses them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Response,
    expect,
    sync_playwright,
)

from deploy.local.postgres.server import EmbeddedPostgres
from tests.conftest import cloned
from tests.e2e.accounts import Person, add_accounts
from tests.e2e.cinema import Cinema, open_cinema
from tests.e2e.system import System
from tests.pages.browsers import HINT, browser_path

EXPECTED = {401, 402, 409, 422, 429}
"""Refusals that pages show to whoever uses them."""

NewPage = Callable[..., Page]

# The machine may be busy with other tests.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the file that browsers show as what their camera sees; a test writes it."""
    return tmp_path_factory.mktemp("camera") / "seen.mjpeg"


@pytest.fixture(scope="module")
def browser(cinema: Cinema, people: Mapping[str, Person], camera: Path) -> Iterator[Browser]:
    """Starts TEST_BROWSER, a browser on PATH, or the one that Playwright has downloaded.

    While it runs, nothing else can run an event loop in this thread: so it ends with its module,
    and starts after the fixtures that need a loop.
    """
    found = browser_path()
    with sync_playwright() as playwright:
        try:
            started = playwright.chromium.launch(
                executable_path=found,
                args=[
                    "--use-fake-device-for-media-stream",
                    "--use-fake-ui-for-media-stream",
                    f"--use-file-for-fake-video-capture={camera}",
                ],
            )
        except Error as error:
            if found:
                raise
            pytest.skip(f"{HINT} ({error.message.splitlines()[0]})")
        yield started
        started.close()


@pytest.fixture(scope="session")
def system(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """Runs a system with open access."""
    with (
        cloned(postgres) as database,
        System(database, tmp_path_factory.mktemp("system")) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def cinema(system: System) -> Iterator[Cinema]:
    """Opens a cinema, which puts on screenings."""
    with open_cinema(system) as opened:
        yield opened


@pytest.fixture(scope="session")
def people(system: System) -> Mapping[str, Person]:
    """Creates an organizer and an admin."""
    return add_accounts(system.database, {"olive": "ORGANIZER", "adam": "ADMIN"})


@dataclass
class Watch:
    """Notes what no page may do: call elsewhere, fail to load, break a policy, throw."""

    origin: str
    broken: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Notes what a page does from now on."""
        page.on("request", lambda request: self.requested(request.url))
        page.on("response", self.responded)
        page.on("console", self.said)
        page.on("pageerror", lambda error: self.broken.append(f"thrown: {error}"))

    def requested(self, url: str) -> None:
        """Notes a request that leaves the gateway."""
        parts = urlsplit(url)
        if (
            parts.scheme not in {"blob", "data"}
            and f"{parts.scheme}://{parts.netloc}" != self.origin
        ):
            self.broken.append(f"elsewhere: {url}")

    def responded(self, response: Response) -> None:
        """Notes a response that no page should get."""
        if response.status >= 400 and response.status not in EXPECTED:
            self.broken.append(f"{response.status}: {response.url}")

    def said(self, message: ConsoleMessage) -> None:
        """Notes an error in the console; those of responses are noted by `responded`."""
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.broken.append(f"console: {message.text}")


@pytest.fixture
def new_page(browser: Browser, system: System) -> Iterator[NewPage]:
    """Returns a function that opens a page of a browser without history."""
    watch, contexts = Watch(system.url), []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=system.url, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        watch.follow(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not watch.broken


@pytest.fixture
def page(new_page: NewPage) -> Page:
    """Opens a page."""
    return new_page()
