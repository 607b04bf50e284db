"""An organizer's pages: make an event, watch it sell, admit people; and the demo with its crowd."""

import base64
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.accounts import Person
from tests.e2e.cinema import Cinema

FRAMES, LOOKS = 30, 5
DETECTOR = """
    window.looks = 0;
    window.BarcodeDetector = class {
        async detect(video) {
            const canvas = document.createElement("canvas");
            canvas.width = video.videoWidth;
            canvas.height = video.videoHeight;
            canvas.getContext("2d").drawImage(video, 0, 0);
            const found = await readCode(canvas.toDataURL("image/png"));
            window.looks += found.length;
            return found.map((rawValue) => ({ rawValue }));
        }
    };
"""
"""Chromium on Linux has no BarcodeDetector: this one hands the frames to the test."""


def sign_in(page: Page, person: Person) -> None:
    """Signs in: keeps a session of an account in the browser."""
    user = {"id": person.id, "name": "Olive", "email": "", "role": person.role}
    session = {
        "access_token": person.authorization.removeprefix("Bearer "),
        "refresh_token": "",
        "user": user,
    }
    page.goto("/pages/sign-in.html")
    page.evaluate("text => localStorage.setItem('boxoffice.session', text)", json.dumps(session))


def test_an_organizer_makes_an_event_watches_it_sell_and_admits_a_guest(
    page: Page, people: Mapping[str, Person], cinema: Cinema
) -> None:
    """A step of an organizer's evening could be missing."""
    sign_in(page, people["olive"])
    page.goto("/pages/edit.html")
    page.get_by_label("Name").fill("Olive's evening")
    page.get_by_label("Places", exact=True).fill("7")
    page.get_by_role("button", name="Make the event").click()
    page.get_by_role("listitem").filter(has_text="Olive's evening").get_by_text("Sales").click()
    expect(page.get_by_text("left").locator("+ dd")).to_have_text("7")
    event = int(page.url.rpartition("=")[2])
    body = {"event_id": event, "user_id": "ada"}
    booking = cinema.client.post("/api/bookings/reserve", json=body).json()["booking_id"]
    expect(page.get_by_text("left").locator("+ dd")).to_have_text("6")
    expect(page.get_by_role("cell", name="ada")).to_be_visible()
    ticket = cinema.client.post("/api/tickets", json={"booking_id": booking}).json()
    page.goto(f"/pages/door.html?id={event}")
    for verdict in ("Admitted", "Somebody was admitted with this ticket already."):
        page.get_by_label("Code of a ticket").fill(ticket["seats"][0]["code"])
        page.get_by_role("button", name="Check in").click()
        expect(page.locator(".verdict")).to_contain_text(verdict)


def ticket_of(person: Person, cinema: Cinema) -> tuple[int, str]:
    """Sells a place of a person's event; returns the event and the ticket."""
    headers = {"Authorization": person.authorization}
    made = cinema.client.post("/events", json={"name": "Fair", "total_seats": 9}, headers=headers)
    event = made.json()["id"]
    body = {"event_id": event, "user_id": "ada"}
    booking = cinema.client.post("/api/bookings/reserve", json=body).json()["booking_id"]
    ticket = cinema.client.post("/api/tickets", json={"booking_id": booking}).json()
    return event, ticket["ticket_id"]


def show_to(camera: Path, png: bytes) -> None:
    """Lets the camera see a picture."""
    frame, picture = Image.new("L", (640, 480), "white"), Image.open(io.BytesIO(png))
    frame.paste(picture.convert("L").resize((400, 400)), (120, 40))
    jpeg = io.BytesIO()
    frame.convert("RGB").save(jpeg, "JPEG", quality=95)
    camera.write_bytes(jpeg.getvalue() * FRAMES)


def read_code(data_url: str) -> list[str]:
    """Reads the QR codes in a frame of the camera."""
    frame = Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])))
    return [found.text for found in zxingcpp.read_barcodes(frame)]


def test_the_camera_checks_a_ticket_in_once(
    page: Page, people: Mapping[str, Person], cinema: Cinema, camera: Path
) -> None:
    """Staff could see no result, or every guest as admitted twice while the code is in sight."""
    event, ticket = ticket_of(people["olive"], cinema)
    code = cinema.client.get(f"/api/tickets/{ticket}/qr", headers={"Accept": "image/png"})
    show_to(camera, code.content)
    page.expose_function("readCode", read_code)
    page.add_init_script(DETECTOR)
    sign_in(page, people["olive"])
    page.goto(f"/pages/door.html?id={event}")
    page.get_by_role("button", name="Use the camera").click()
    expect(page.locator(".verdict")).to_have_text("✓ Admitted: one place")
    # Playwright waits for a function by evaluating text, which the page forbids to itself.
    while page.evaluate("looks") <= LOOKS:
        page.wait_for_timeout(50)
    expect(page.locator("#history li")).to_have_count(1)


def test_codes_are_typed_where_the_browser_cannot_see_them(
    page: Page, people: Mapping[str, Person], cinema: Cinema
) -> None:
    """A button could do nothing in a browser without BarcodeDetector, as Chromium on Linux is."""
    event, _ = ticket_of(people["olive"], cinema)
    page.add_init_script("delete window.BarcodeDetector")
    sign_in(page, people["olive"])
    page.goto(f"/pages/door.html?id={event}")
    expect(page.get_by_text("This browser cannot read codes with the camera")).to_be_visible()
    expect(page.get_by_role("button", name="Use the camera")).to_have_count(0)


def test_a_room_is_drawn_from_rows_and_saved(
    page: Page, people: Mapping[str, Person], cinema: Cinema
) -> None:
    """The seats that are saved could differ from those of the preview."""
    cinema.screening()  # makes the theater
    sign_in(page, people["adam"])
    page.goto("/pages/room.html")
    page.get_by_label("Seats of row A", exact=True).fill("3")
    page.get_by_role("button", name="Add a row").click()
    expect(page.get_by_role("gridcell")).to_have_count(7 * 14 + 3 + 14)
    page.get_by_label("Name of the room").fill("Drawn")
    page.get_by_role("button", name="Save the room").click()
    expect(page.get_by_role("alert")).to_contain_text("Drawn is saved")
    rooms = [each for one in cinema.client.get("/api/theaters").json() for each in one["rooms"]]
    [drawn] = [each for each in rooms if each["name"] == "Drawn"]
    assert drawn["capacity"] == 115


def test_no_seat_goes_to_two_of_a_hundred_buyers(page: Page, cinema: Cinema) -> None:
    """The demo could show what the server does not do, or the server could sell a seat twice."""
    rows = [{"row": row, "seats": 10} for row in "ABCDE"]
    page.goto(f"/seat-reservation-demo.html?screening={cinema.screening(rows)}")
    page.get_by_role("button", name="Let them in").click()
    got, seats, refused, failed = (
        page.locator(".tiles dt", has_text=re.compile(f"^{name}$")).locator("+ dd")
        for name in ("got a seat", "different seats", "refused", "failed")
    )
    expect(failed).to_have_text("0", timeout=30_000)
    held = int(got.inner_text())
    assert held == int(seats.inner_text()) == 100 - int(refused.inner_text())
    expect(page.locator(".seat.held")).to_have_count(held)
    page.get_by_role("button", name="Release their seats").click()
    expect(page.locator(".seat.free")).to_have_count(50, timeout=30_000)
