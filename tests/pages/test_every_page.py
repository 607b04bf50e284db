"""Rules for every page: accessible in light and dark, and no wider than a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.e2e.cinema import Cinema
from tests.pages.conftest import NewPage

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP: ViewportSize = {"width": 1280, "height": 720}
PAGES = {
    "/": "What is on",
    "/pages/event.html?id={screening}": "Calm",
    "/pages/event.html?id={event}": "Open-air <b>night</b>",
    "/pages/ticket.html?id={ticket}": "Your ticket",
    "/pages/bookings.html": "My bookings",
    "/pages/sign-in.html": "Sign in",
    "/pages/organize.html": "Organize",
    "/pages/edit.html": "New event",
    "/pages/room.html": "Draw a room",
    "/pages/sales.html?id={screening}": "Calm",
    "/pages/door.html?id={event}": "At the door",
    "/seat-reservation-demo.html?screening={screening}": "Seat reservation demo",
}


@pytest.fixture(scope="module")
def ids(cinema: Cinema) -> dict[str, object]:
    """Makes a screening, an event without seats, and a ticket of it."""
    client = cinema.client
    event = client.post("/events", json={"name": "Open-air <b>night</b>", "total_seats": 9}).json()[
        "id"
    ]
    booked = client.post("/api/bookings/reserve", json={"event_id": event, "user_id": "ada"})
    ticket = client.post("/api/tickets", json={"booking_id": booked.json()["booking_id"]}).json()
    return {"screening": cinema.screening(), "event": event, "ticket": ticket["ticket_id"]}


@pytest.mark.parametrize(("path", "title"), PAGES.items())
def test_a_page_fits_a_phone_and_is_accessible(
    new_page: NewPage, ids: dict[str, object], path: str, title: str
) -> None:
    """A page could be cut off, have targets that fingers miss, or be unreadable for some people."""
    page = new_page(**PHONE)
    opened(page, path.format_map(ids), title)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.eval_on_selector_all(
        "button, select, input:not(.unseen), summary, .button",
        "all => all.map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
        ".filter(([, box]) => box.width && (box.width < 20 || box.height < 20)).map(([e]) => e)",
    )
    assert small == []
    page.set_viewport_size(DESKTOP)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = Axe().run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, (scheme, found.generate_report())


def opened(page: Page, path: str, title: str) -> None:
    """Opens a page, and waits until it has shown everything."""
    page.goto(path, wait_until="networkidle")
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
