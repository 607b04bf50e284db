from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.e2e.accounts import add_accounts
from tests.e2e.cinema import PRICES, Cinema, open_cinema
from tests.e2e.client import new_user, refusal
from tests.e2e.system import System
from tests.e2e.test_seats_over_http import hold
from tests.services.accounts.client import execute

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def cinema(system: System) -> Iterator[Cinema]:
    """Returns a cinema of that system."""
    with open_cinema(system) as opened:
        yield opened


def ticket(client: httpx.Client, screening: int, *seat_ids: int, **fields: Any) -> dict[str, Any]:
    """Holds seats of a free screening and gets their ticket."""
    held = hold(client, screening, *seat_ids, **fields).json()
    made = client.post("/api/tickets", json={"reservation_id": held["reservation_id"]})
    assert made.status_code == 201, made.text
    return dict(made.json())


def test_a_ticket_is_issued_once_and_read(client: httpx.Client, cinema: Cinema) -> None:
    """A ticket could show other fields, or be issued twice."""
    screening, user = cinema.screening(**PRICES), new_user()
    held = hold(client, screening, 4, 5, user_id=user).json()
    asked = {"reservation_id": held["reservation_id"]}
    made, again = (client.post("/api/tickets", json=asked) for _ in range(2))
    body = made.json()
    assert (made.status_code, again.status_code, again.json()) == (201, 200, body)
    assert body == {
        "ticket_id": body["ticket_id"],
        "booking_id": held["booking_id"],
        "reference": held["reservation_id"],
        "user_id": user,
        "event": body["event"],
        "seats": [
            {
                "seat_id": seat["seat_id"],
                "section": seat["section"],
                "row": seat["row"],
                "number": seat["number"],
                "label": seat["label"],
                "code": None,
                "used_at": None,
            }
            for seat in body["seats"]
        ],
        "status": "AWAITING_PAYMENT",
        "price": held["price"],
        "created_at": body["created_at"],
    }
    assert [seat["seat_id"] for seat in body["seats"]] == [4, 5]
    assert body["event"]["id"] == screening
    assert made.headers["location"] == f"/api/tickets/{body['ticket_id']}"
    assert client.get(made.headers["location"]).json() == body
    assert client.get(f"/api/tickets/user/{user}").json() == [body]
    unpaid = client.get(f"/api/tickets/{body['ticket_id']}/qr")
    assert refusal(unpaid) == (409, "awaiting_payment")
    assert refusal(client.get(f"/api/tickets/{UNKNOWN}")) == (404, "ticket_not_found")


def representation(client: httpx.Client, path: str, media_type: str) -> bytes:
    """Gets a document that has one type, and that a client has to load once."""
    found = client.get(path, headers={"Accept": media_type})
    assert (found.status_code, found.headers["content-type"]) == (200, media_type)
    known = client.get(path, headers={"If-None-Match": found.headers["etag"]})
    other = client.get(path, headers={"Accept": "text/html"})
    assert (known.status_code, other.status_code) == (304, 406)
    return found.content


def test_a_qr_code_is_svg_or_png(client: httpx.Client, cinema: Cinema) -> None:
    """A client could get a type that it cannot show, or load an image again and again."""
    made = ticket(client, cinema.screening(), 1, 2)
    path = f"/api/tickets/{made['ticket_id']}/qr"
    svg, png, other = (
        client.get(path, params={"seat_id": 2}, headers={"Accept": accept})
        for accept in ("*/*", "image/png", "text/html")
    )
    assert (svg.headers["content-type"], png.headers["content-type"]) == (
        "image/svg+xml",
        "image/png",
    )
    assert png.content.startswith(b"\x89PNG")
    assert other.status_code == 406
    known = client.get(
        path,
        params={"seat_id": 2},
        headers={"Accept": "image/png", "If-None-Match": png.headers["etag"]},
    )
    assert (known.status_code, known.content) == (304, b"")
    missing = client.get(path, params={"seat_id": 3})
    assert refusal(missing) == (404, "seat_not_found")


def test_a_ticket_is_printed_and_noted(client: httpx.Client, cinema: Cinema) -> None:
    """A browser could not show a ticket or its date, or load them again and again."""
    made = ticket(client, cinema.screening(), 1, 2)
    path = f"/api/tickets/{made['ticket_id']}"
    pdf, calendar = (
        representation(client, f"{path}/{name}", media_type)
        for name, media_type in (("pdf", "application/pdf"), ("calendar.ics", "text/calendar"))
    )
    assert pdf.startswith(b"%PDF-")
    assert calendar.startswith(b"BEGIN:VCALENDAR\r\n")
    assert b"LOCATION:Roxy\\, " in calendar
    assert b"DTEND" in calendar


def test_a_ticket_is_given_to_somebody_else(
    client: httpx.Client, cinema: Cinema, system: System
) -> None:
    """A buyer who cannot come could not give the ticket away, or learn who has an account."""
    people = add_accounts(system.database, {"ada": "USER", "bob": "USER"})
    execute(system.database, "UPDATE accounts SET email_verified = true")
    ada, bob = ({"Authorization": people[name].authorization} for name in ("ada", "bob"))
    wanted = {"screening_id": cinema.screening(), "seat_ids": [1]}
    held = client.post("/api/seat-reservations", json=wanted, headers=ada).json()
    asked = {"reservation_id": held["reservation_id"]}
    made = client.post("/api/tickets", json=asked, headers=ada).json()
    path = f"/api/tickets/{made['ticket_id']}"
    unknown = client.post(f"{path}/transfer", json={"email": "no@example.com"}, headers=ada)
    assert refusal(unknown) == (404, "user_not_found")
    to = {"email": f"{people['bob'].id}@example.com"}
    keyed = {**ada, "Idempotency-Key": "gift"}
    given, again = (client.post(f"{path}/transfer", json=to, headers=keyed) for _ in range(2))
    assert (given.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert given.json() == again.json()
    assert (given.json()["user_id"], given.json()["seats"][0]["code"]) == (people["bob"].id, None)
    assert refusal(client.get(path, headers=ada)) == (404, "ticket_not_found")
    assert client.get(path, headers=bob).json()["seats"][0]["code"]


def test_released_seats_take_their_ticket_along(client: httpx.Client, cinema: Cinema) -> None:
    """A ticket could stay valid for seats that somebody else has."""
    made = ticket(client, cinema.screening(), 3)
    cancelled = client.delete(f"/bookings/{made['reference']}")
    assert cancelled.status_code == 200
    found = client.get(f"/api/tickets/{made['ticket_id']}").json()
    assert (found["status"], found["seats"][0]["code"]) == ("REVOKED", None)
    assert refusal(client.get(f"/api/tickets/{made['ticket_id']}/qr")) == (409, "ticket_revoked")


def test_a_visitor_is_admitted_once(client: httpx.Client, cinema: Cinema) -> None:
    """A scanner could admit two, or not tell a steward when the first one came."""
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    screening = cinema.screening(starts_at=soon)
    made = ticket(client, screening, 2)
    scanned = {"code": made["seats"][0]["code"], "event_id": screening}
    first, again, other = (
        client.post(
            "/api/tickets/check-in", json={**scanned, "nonce": nonce}, headers=cinema.headers
        )
        for nonce in ("one", "one", "two")
    )
    body = first.json()
    assert (first.status_code, again.json(), body["result"]) == (200, body, "admitted")
    assert (body["ticket_id"], body["seat"]["seat_id"]) == (made["ticket_id"], 2)
    assert (other.status_code, other.json()) == (
        409,
        {
            "error": "already_used",
            "details": {"used_at": body["admitted_at"], "double_admission": False},
        },
    )
    bundle = client.get(f"/api/events/{screening}/check-in-bundle", headers=cinema.headers).json()
    assert [code["seat"]["used_at"] for code in bundle["codes"]] == [body["admitted_at"]]
    early = ticket(client, cinema.screening(), 1)["seats"][0]["code"]
    refused = client.post(
        "/api/tickets/check-in", json={"code": early, "nonce": "one"}, headers=cinema.headers
    )
    assert refusal(refused) == (409, "not_yet_valid")


def test_the_keys_are_a_json_web_key_set(client: httpx.Client) -> None:
    """A scanner could find no key in the form that libraries read."""
    found = client.get("/.well-known/ticket-keys.json")
    [key, *_] = found.json()["keys"]
    assert (key["kty"], key["crv"], key["use"], len(key["x"])) == ("OKP", "Ed25519", "sig", 43)
