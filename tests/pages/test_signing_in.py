"""Signing in, and staying signed in."""

import httpx
from playwright.sync_api import Page, expect

from tests.e2e.cinema import Cinema
from tests.e2e.client import new_key

PASSWORD = "correct horse"
SPOIL = """() => {
    const session = JSON.parse(localStorage.getItem("boxoffice.session"));
    localStorage.setItem("boxoffice.session", JSON.stringify({ ...session, access_token: "old" }));
}"""


def register(client: httpx.Client) -> str:
    """Registers an account; returns its address."""
    email = f"{new_key()}@example.com".lower()
    body = {"name": "Emmy Noether", "email": email, "password": PASSWORD}
    assert client.post("/api/auth/register", json=body).status_code == 201
    return email


def test_a_session_outlives_its_access_token(page: Page, cinema: Cinema) -> None:
    """Buyers would have to sign in every quarter of an hour."""
    email = register(cinema.client)
    page.goto("/pages/sign-in.html")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill("wrong horse")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("E-mail address or password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.evaluate(SPOIL)
    page.goto("/pages/bookings.html")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_an_account_books_several_places(page: Page, cinema: Cinema) -> None:
    """A family would have to book one by one."""
    event = cinema.client.post("/events", json={"name": "Fair", "total_seats": 9}).json()["id"]
    email = register(cinema.client)
    page.goto("/pages/sign-in.html")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(f"/pages/event.html?id={event}")
    page.get_by_label("Number of places").fill("3")
    page.get_by_label("Number of places").press("Tab")
    page.get_by_role("button", name="Book 3 places").click()
    expect(page.get_by_role("img", name="QR code")).to_have_count(3)
