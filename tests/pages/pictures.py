"""Takes the pictures of docs/pages.md from a system of its own: `make page-pictures`."""

import io
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench import tokens
from tests.bench.sales import CARD
from tests.bench.system import System, running_system
from tests.pages.browsers import browser_path

FOLDER = Path(__file__).parents[2] / "docs/pictures"
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1_180, "height": 860}}
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
DARK: Mapping[str, Any] = {"color_scheme": "dark"}
QUALITY = 70
OTHERS = (103, 104, 105, 126, 127, 146, 147, 148, 166)
BUYERS = {"ada": (83, 84), "bob": (107, 108, 109), "eve": (61, 62)}
MINE = (129, 130)
AHEAD = 41
"""People in the queue before the one in the picture."""


def main() -> int:
    """Takes all pictures; returns the exit status."""
    with running_system() as system:
        [token] = tokens.issue(system.owner_dsn, 1)
        admin = {"Authorization": f"Bearer {token}"}
        with (
            httpx.Client(base_url=system.url, headers=admin) as client,
            sync_playwright() as playwright,
        ):
            screenings = client.get("/api/screenings").json()
            large = [each["id"] for each in screenings if each["total_seats"] > 200]
            _fill(client, large[0])
            browser = playwright.chromium.launch(executable_path=browser_path())
            _take_all(browser, system, client, *large[:2])
            browser.close()
    return 0


def _take_all(
    browser: Browser, system: System, client: httpx.Client, busy: int, queued: int
) -> None:
    event = f"/pages/event.html?id={busy}"
    with _page(browser, system, **DESKTOP) as page:
        page.goto("/", wait_until="networkidle")
        _take(page, "pages-programme.webp")
        page.goto(event)
        for seat in MINE:
            page.locator(f"[data-seat='{seat}']").click()
        page.locator("aside .main").click()
        page.get_by_role("timer").wait_for()
        _take(page, "pages-seats.webp")
        page.get_by_role("button", name="Pay").click()
        page.get_by_role("img", name="QR code").first.wait_for()
        _take(page, "pages-ticket.webp")
    with _page(browser, system, **DESKTOP, **DARK) as page:
        page.goto(f"/pages/sales.html?id={busy}", wait_until="networkidle")
        _take(page, "pages-sales.webp")
    with _page(browser, system, **PHONE, **DARK) as page:
        page.goto(event, wait_until="networkidle")
        page.locator("[data-seat='110']").click()
        page.evaluate("document.querySelector('#map').scrollIntoView()")
        _take(page, "pages-phone.webp")
    with _page(browser, system, **PHONE) as page:
        _line_up(client, queued)
        page.goto(f"/pages/event.html?id={queued}")
        page.get_by_role("button", name="Join the queue").click()
        page.get_by_text(f"You are number {AHEAD + 1} in line.").wait_for()
        _take(page, "pages-queue.webp")


def _fill(client: httpx.Client, screening: int) -> None:
    """Holds seats for some, and sells seats to others."""
    for seat in OTHERS:
        _hold(client, screening, f"guest-{seat}", seat)
    for user, seats in BUYERS.items():
        reservation = _hold(client, screening, user, *seats)
        ticket = _post(client, "/api/tickets", {"reservation_id": reservation})
        _post(client, "/api/payments", {"ticket_id": ticket["ticket_id"], **CARD})


def _hold(client: httpx.Client, screening: int, user: str, *seats: int) -> Any:
    body = {"screening_id": screening, "user_id": user, "seat_ids": seats}
    return _post(client, "/api/seat-reservations", body)["reservation_id"]


def _line_up(client: httpx.Client, event_id: int) -> None:
    """Lets people wait in a queue that admits nobody yet."""
    path = f"/api/queue/{event_id}"
    settings = {"enabled": True, "rate_per_minute": 0}
    client.put(path, json=settings).raise_for_status()
    for number in range(AHEAD):
        _post(client, path, {"user_id": f"waiting-{number}"})


def _post(client: httpx.Client, path: str, body: Mapping[str, Any]) -> Any:
    return client.post(path, json=body).raise_for_status().json()


@contextmanager
def _page(browser: Browser, system: System, **options: Any) -> Iterator[Page]:
    """Opens a page of a browser without history."""
    context = browser.new_context(base_url=system.url, reduced_motion="reduce", **options)
    yield context.new_page()
    context.close()


def _take(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(FOLDER / name, quality=QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main())
