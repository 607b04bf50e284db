"""Takes the pictures of docs/pages.md from a running Boxoffice: `make page-pictures`."""

import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from deploy.local.settings import RunSettings
from tests.pages.browsers import browser_path

FOLDER = Path(__file__).parents[2] / "docs/pictures"
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1_180, "height": 860}}
PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "dark",
    "is_mobile": True,
    "has_touch": True,
}
QUALITY = 70
OTHERS = (103, 104, 105, 126, 127, 146, 147, 148, 166)
MINE = (129, 130)


def main() -> int:
    """Takes all pictures; returns the exit status."""
    url = RunSettings.load().gateway_url
    with httpx.Client(base_url=url, trust_env=False) as client:
        screening = _busy_screening(client)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path())
        desktop = browser.new_context(base_url=url, **DESKTOP).new_page()
        desktop.goto("/", wait_until="networkidle")
        _take(desktop, "pages-programme.webp")
        desktop.goto(f"/pages/event.html?id={screening}")
        for seat in MINE:
            desktop.locator(f"[data-seat='{seat}']").click()
        desktop.locator("aside .main").click()
        desktop.get_by_role("timer").wait_for()
        _take(desktop, "pages-seats.webp")
        phone = browser.new_context(base_url=url, **PHONE).new_page()
        phone.goto(f"/pages/event.html?id={screening}", wait_until="networkidle")
        phone.locator("#map").scroll_into_view_if_needed()
        phone.locator("[data-seat='107']").click()
        phone.evaluate("document.querySelector('#map').scrollIntoView()")
        _take(phone, "pages-phone.webp")
        desktop.get_by_role("button", name="Release").click()
    return 0


def _busy_screening(client: httpx.Client) -> int:
    """Returns a screening of the larger hall, some of whose seats others hold."""
    screenings = client.get("/api/screenings").json()
    screening = next(each["id"] for each in screenings if each["total_seats"] > 200)
    for seat in OTHERS:
        body = {"screening_id": screening, "user_id": f"guest-{seat}", "seat_ids": [seat]}
        client.post("/api/seat-reservations", json=body)
    return int(screening)


def _take(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(FOLDER / name, quality=QUALITY, method=6)


if __name__ == "__main__":
    sys.exit(main())
