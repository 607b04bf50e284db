"""A buyer's way from the programme to the ticket, in a real browser on a running system."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.cinema import PRICES, Cinema
from tests.e2e.client import create_event, new_key
from tests.pages.conftest import NewPage

MOST_TABS = 60
NO_STREAM = 429
ADMITTED_MS = 30_000
WAITING = {
    "enabled": True,
    "waiting": 1,
    "active": 0,
    "you": {"state": "WAITING", "position": 1, "estimated_wait_seconds": None},
}
"""A queue that does not move, whenever the page asks."""
HELD = re.compile("held")


def tab_to(page: Page, selector: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the keyboard")


def test_a_seat_is_bought_with_the_keyboard_alone(page: Page, cinema: Cinema) -> None:
    """People who use no pointer could not book."""
    screening = cinema.screening(**PRICES)
    page.goto("/")
    tab_to(page, f"[href='/pages/event.html?id={screening}']")
    page.keyboard.press("Enter")
    expect(page.get_by_role("gridcell").first).to_be_visible()
    tab_to(page, "[role=gridcell]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = page.locator(":focus")
    expect(focused).to_have_attribute("aria-label", "Row B, seat 2, €15.00, free")
    page.keyboard.press("Space")
    expect(focused).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("status")).to_have_text("1 seat chosen: Row B, seat 2")
    tab_to(page, "aside .main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("timer")).to_be_visible()
    tab_to(page, ".pay .main")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="QR code of Row B, seat 2")).to_be_visible()


@pytest.mark.parametrize("has_stream", [True, False])
def test_two_browsers_see_each_others_seats(
    new_page: NewPage, cinema: Cinema, *, has_stream: bool
) -> None:
    """A buyer could choose seats that are gone long since, with a stream or without."""
    one, other = new_page(), new_page()
    if not has_stream:
        other.route("**/stream?*", lambda route: route.fulfill(status=NO_STREAM))
    screening = cinema.screening()
    for page in (one, other):
        page.goto(f"/pages/event.html?id={screening}")
    one.locator("[data-seat='2']").click()
    one.get_by_role("button", name=re.compile("Hold 1 seat")).click()
    expect(other.locator("[data-seat='2']")).to_have_class(HELD)
    expect(one.locator("[data-seat='2']")).to_have_class(re.compile("mine"))
    one.get_by_role("button", name="Release").click()
    expect(other.locator("[data-seat='2']")).to_have_class(re.compile("free"))


def test_other_seats_are_offered_for_those_that_are_gone(page: Page, cinema: Cinema) -> None:
    """A buyer whose seat is gone would have to start again."""
    screening = cinema.screening()
    page.goto(f"/pages/event.html?id={screening}")
    page.locator("[data-seat='2']").click()
    taken = {"screening_id": screening, "user_id": "ada", "seat_ids": [2]}
    assert cinema.client.post("/api/seat-reservations", json=taken).status_code == 201
    page.get_by_role("button", name=re.compile("Hold 1 seat")).click()
    expect(page.get_by_text("These seats are gone.").last).to_be_visible()
    page.get_by_role("button", name=re.compile("^Row ., seat")).first.click()
    expect(page.get_by_role("timer")).to_be_visible()


def test_a_hold_counts_down_and_ends(page: Page, cinema: Cinema) -> None:
    """A buyer could try to pay for seats that are on sale again."""
    page.goto(f"/pages/event.html?id={cinema.screening()}")
    page.get_by_role("button", name="Hold the best").click()
    expect(page.get_by_role("timer")).to_have_text(re.compile("^(10|9):"))
    ended = "timer => timer.setAttribute('until', '2000-01-01T00:00:00Z')"
    page.locator("count-down").evaluate(ended)
    expect(page.get_by_text("The time is over").last).to_be_visible()
    expect(page.get_by_role("timer")).to_have_count(0)


def test_a_declined_payment_keeps_the_seats(page: Page, cinema: Cinema) -> None:
    """A buyer whose card is declined could not try another one, or not see why."""
    page.goto(f"/pages/event.html?id={cinema.screening(**PRICES)}")
    page.get_by_role("button", name="Hold the best").click()
    page.get_by_label("Test card that is declined").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.locator("aside")).to_contain_text("The payment was declined.")
    page.get_by_label("Test card that pays").check()
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("img", name="QR code")).to_have_count(2)


def test_a_real_provider_asks_for_the_card_itself(page: Page, cinema: Cinema) -> None:
    """A buyer could be offered test cards in a real shop, and not get to the provider's page."""
    settings = {"open_access": True, "mailbox_url": "", "has_test_cards": False}
    page.route("**/pages/settings.json", lambda route: route.fulfill(json=settings))
    asked: list[Any] = []

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=201, json={"status": "CREATED", "redirect_url": "/pages/sign-in.html"})

    page.route("**/api/payments", answer)
    page.goto(f"/pages/event.html?id={cinema.screening(**PRICES)}")
    page.get_by_role("button", name="Hold the best").click()
    expect(page.get_by_text("You pay on a page of our payment provider.")).to_be_visible()
    expect(page.get_by_role("radio", name="card")).to_have_count(0)
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/pages/sign-in.html")
    assert [sorted(body) for body in asked] == [["method", "reservation_id"]]


def test_a_hold_survives_a_reload(page: Page, cinema: Cinema) -> None:
    """A buyer who reloads the page could lose the seats, and wait for them to come free."""
    page.goto(f"/pages/event.html?id={cinema.screening()}")
    page.get_by_role("button", name="Hold the best").click()
    expect(page.get_by_role("timer")).to_be_visible()
    page.reload()
    expect(page.get_by_role("timer")).to_be_visible()


def test_a_stadium_is_sold_from_a_canvas_and_a_list(page: Page, cinema: Cinema) -> None:
    """A large room could be too slow to use, or closed to people who use no pointer."""
    rows = [{"row": f"{row}", "seats": 50} for row in range(1, 43)]
    page.goto(f"/pages/event.html?id={cinema.screening(rows)}")
    canvas = page.locator("canvas")
    expect(canvas).to_be_visible()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    corner = page.locator(".map-box")
    corner.evaluate("box => box.scrollTo(0, 0)")
    scale = page.evaluate("document.querySelector('.canvas-space').offsetWidth / 5220")
    canvas.click(position={"x": 160 * scale, "y": 290 * scale})
    expect(page.locator("aside")).to_contain_text("Row 1, seat 1")
    page.get_by_text("Choose from a list").click()
    page.get_by_label("Row").select_option("7")
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(page.locator("aside")).to_contain_text("Row 7, seat 1")


def test_a_place_that_comes_free_goes_to_the_waiting_list(page: Page, cinema: Cinema) -> None:
    """Who waits could not see that a place came free."""
    key = new_key()
    event = create_event(cinema.client, total_seats=1, key=key)
    body = {"eventId": key, "userId": "grace"}
    assert cinema.client.post("/book", json=body).status_code == 201
    page.goto(f"/pages/event.html?id={event['id']}")
    page.get_by_role("button", name="Join the waiting list").click()
    expect(page.locator("#seats").get_by_text("You are number 1 in line.")).to_be_visible()
    assert cinema.client.post("/cancel", json=body).json()["promoted"]
    expect(page.locator("#seats").get_by_text("You have a booking.")).to_be_visible()


def test_an_offer_of_the_waiting_list_leads_to_its_payment(page: Page, cinema: Cinema) -> None:
    """Who waited could be offered a place and not find where to pay for it."""
    key = new_key()
    priced: dict[str, Any] = {
        "total_seats": 1,
        "key": key,
        "price": {"amount_minor": 900, "currency": "EUR"},
    }
    event = create_event(cinema.client, **priced)
    body = {"eventId": key, "userId": "grace"}
    assert cinema.client.post("/book", json=body).status_code == 201
    page.goto(f"/pages/event.html?id={event['id']}")
    page.get_by_role("button", name="Join the waiting list").click()
    expect(page.locator("#seats")).to_contain_text("You are number 1 in line.")
    cinema.client.post("/cancel", json=body)
    page.get_by_role("button", name="Take the place").click()
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()


@pytest.mark.parametrize("is_streaming", [True, False])
def test_a_buyer_waits_in_the_queue_and_books_once_admitted(
    page: Page, cinema: Cinema, is_streaming: bool
) -> None:
    """A buyer could not join a queue, or not see when it is their turn, also without a stream."""
    screening = cinema.screening()
    if not is_streaming:
        page.route("**/stream?*", lambda route: route.fulfill(status=429))
    queue = {"enabled": True, "rate_per_minute": 0}
    cinema.client.put(f"/api/queue/{screening}", json=queue, headers=cinema.headers)
    page.goto(f"/pages/event.html?id={screening}")
    page.get_by_role("button", name="Hold the best").click()
    expect(page.locator("aside")).to_contain_text("There is a queue for this event.")
    page.get_by_role("button", name="Join the queue").click()
    expect(page.locator("#queue")).to_contain_text("You are number 1 in line.")
    if is_streaming:
        page.route(f"**/api/queue/{screening}", lambda route: route.fulfill(json=WAITING))
    queue["rate_per_minute"] = 600
    cinema.client.put(f"/api/queue/{screening}", json=queue, headers=cinema.headers)
    expect(page.locator("#queue")).to_contain_text("You are in, and can book.", timeout=ADMITTED_MS)
    page.get_by_role("button", name="Hold the best").click()
    expect(page.get_by_role("timer").last).to_be_visible()
