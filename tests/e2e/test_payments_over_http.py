from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from services.bookings.settings import DEVELOPMENT_SECRET
from tests.e2e.cinema import PRICES, Cinema, open_cinema
from tests.e2e.client import named, new_key, new_user, refusal
from tests.e2e.system import System, until
from tests.e2e.test_seats_over_http import hold

CARD = "4111111111111111"
WEBHOOKS = "/api/payments/webhooks/sandbox"
OTHER_SECRET = "whsec_b3RoZXI="


@pytest.fixture(scope="module")
def cinema(system: System) -> Iterator[Cinema]:
    """Returns a cinema of that system."""
    with open_cinema(system) as opened:
        yield opened


def paying(token: str = "tok_ok", **booking: Any) -> dict[str, Any]:  # noqa: S107 - no secret
    """Returns the body of a payment."""
    return {"method": "card", "token": token, **booking}


def has_status(client: httpx.Client, payment: dict[str, Any], status: str) -> Callable[[], bool]:
    """Returns whether a payment has a status by now."""
    path = f"/api/payments/{payment['payment_id']}"
    return lambda: bool(client.get(path).json()["status"] == status)


def test_a_hold_is_ticketed_paid_and_refunded(client: httpx.Client, cinema: Cinema) -> None:
    """A visitor could not get from a seat to a code, or an organizer not pay back."""
    screening, user = cinema.screening(**PRICES), new_user()
    held = hold(client, screening, 1, 2, user_id=user).json()
    asked = {"reservation_id": held["reservation_id"]}
    ticket = client.post("/api/tickets", json=asked).json()
    declined = client.post("/api/payments", json=paying("tok_decline", **asked))
    assert refusal(declined) == (402, "payment_declined")
    body = paying(ticketId=ticket["ticket_id"], amount=held["price"])
    key = {"Idempotency-Key": new_key()}
    made, again = (client.post("/api/payments", json=body, headers=key) for _ in range(2))
    payment = made.json()
    assert (made.status_code, again.status_code, again.json()) == (201, 201, payment)
    assert again.headers["idempotent-replayed"] == "true"
    assert payment == {
        "payment_id": payment["payment_id"],
        "booking_id": held["booking_id"],
        "ticket_id": ticket["ticket_id"],
        "user_id": user,
        "amount": {"amount_minor": 1_800, "currency": "EUR"},
        "refunded": {"amount_minor": 0, "currency": "EUR"},
        "status": "SUCCEEDED",
        "method": "card",
        "created_at": payment["created_at"],
        "redirect_url": None,
    }
    assert client.get(made.headers["location"]).json() == payment
    assert [one["status"] for one in client.get(f"/api/payments/user/{user}").json()] == [
        "SUCCEEDED",
        "FAILED",
    ]
    paid = client.get(f"/api/tickets/{ticket['ticket_id']}").json()
    assert (paid["status"], bool(paid["seats"][0]["code"])) == ("VALID", True)
    twice = client.post("/api/payments", json=paying(**asked))
    assert refusal(twice) == (409, "already_paid")
    path = f"/api/payments/{payment['payment_id']}/refund"
    guest = client.post(path, json={})
    assert refusal(guest) == (401, "unauthenticated")
    too_much = {"amount": {"amount_minor": 1_801, "currency": "EUR"}}
    assert named(client.post(path, json=too_much, headers=cinema.headers)) == {"amount"}
    refunded = client.post(path, json={}, headers=cinema.headers)
    assert (refunded.status_code, refunded.json()["status"]) == (200, "REFUND_DUE")
    until(has_status(client, payment, "REFUNDED"))
    assert client.get(f"/api/tickets/{ticket['ticket_id']}").json()["status"] == "REVOKED"


def lost(client: httpx.Client, cinema: Cinema) -> dict[str, Any]:
    """Pays with an answer that is lost; returns the payment, which is under way."""
    held = hold(client, cinema.screening(**PRICES), 3, user_id=new_user()).json()
    asked = paying("tok_lost", reservation_id=held["reservation_id"])
    payment: dict[str, Any] = client.post("/api/payments", json=asked).json()
    assert payment["status"] == "CREATED"
    return payment


def news(payment: dict[str, Any]) -> bytes:
    """Returns the body of a webhook: a charge has succeeded."""
    charge = {"id": payment["payment_id"], "status": "SUCCEEDED", **payment["amount"]}
    # Spaces, which nothing that parses and prints JSON would keep.
    return orjson.dumps({"charge": charge}).replace(b":", b" : ")


def signed(body: bytes, secret: str = DEVELOPMENT_SECRET, *, minutes: int = 0) -> dict[str, str]:
    """Returns the headers of a webhook that was signed some minutes from now."""
    event_id, at = f"evt_{new_key()}", datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body.decode()),
    }


def test_a_webhook_settles_a_payment_once(client: httpx.Client, cinema: Cinema) -> None:
    """A provider's own bytes could be changed on their way, so that no signature is good."""
    payment = lost(client, cinema)
    body = news(payment)
    headers = signed(body)
    for _ in range(2):
        assert client.post(WEBHOOKS, content=body, headers=headers).status_code == 200
    assert has_status(client, payment, "SUCCEEDED")()
    other = client.post("/api/payments/webhooks/nobody", content=body, headers=headers)
    assert refusal(other) == (404, "not_found")


def test_money_for_seats_that_somebody_else_has_is_paid_back(
    client: httpx.Client, cinema: Cinema
) -> None:
    """A visitor whose money comes late could be left with neither the seat nor the money."""
    screening, user = cinema.screening(**PRICES), new_user()
    held = hold(client, screening, 5, user_id=user).json()
    asked = paying("tok_lost", reservation_id=held["reservation_id"])
    late = client.post("/api/payments", json=asked).json()
    released = client.delete(f"/api/seat-reservations/{held['reservation_id']}")
    assert released.is_success
    other = hold(client, screening, 5, user_id=new_user()).json()
    bought = client.post("/api/payments", json=paying(reservation_id=other["reservation_id"]))
    assert bought.json()["status"] == "SUCCEEDED"
    body = news(late)
    assert client.post(WEBHOOKS, content=body, headers=signed(body)).status_code == 200
    until(has_status(client, late, "REFUNDED"))
    shown = client.get(f"/api/payments/{late['payment_id']}").json()
    assert shown["refunded"] == late["amount"]
    assert has_status(client, bought.json(), "SUCCEEDED")()


def test_a_webhook_of_somebody_else_settles_nothing(client: httpx.Client, cinema: Cinema) -> None:
    """Somebody who forges, alters, keeps or redirects a webhook could get a ticket for nothing."""
    payment = lost(client, cinema)
    body = news(payment)
    for altered, headers in (
        (body, signed(body, OTHER_SECRET)),
        (body.replace(b"900", b"1"), signed(body)),
        (body, signed(body) | {"webhook-id": "evt_other"}),
        (body, signed(body, minutes=-6)),
        (body, signed(body, minutes=6)),
        (body, {}),
    ):
        rejected = client.post(WEBHOOKS, content=altered, headers=headers)
        assert refusal(rejected) == (400, "bad_request")
    foreign = news(payment | {"payment_id": str(uuid4())})
    assert client.post(WEBHOOKS, content=foreign, headers=signed(foreign)).status_code == 200
    assert has_status(client, payment, "CREATED")()


@pytest.mark.parametrize("token", ["tok_lost", "tok_twice"])
def test_a_payment_without_an_answer_is_settled_later(
    client: httpx.Client, cinema: Cinema, token: str
) -> None:
    """A visitor whose bank answers late, or twice, could pay without a ticket."""
    held = hold(client, cinema.screening(**PRICES), 2, user_id=new_user()).json()
    asked = {"reservation_id": held["reservation_id"]}
    payment = client.post("/api/payments", json=paying(token, **asked)).json()
    until(has_status(client, payment, "SUCCEEDED"))
    ticket = client.post("/api/tickets", json=asked).json()
    assert ticket["status"] == "VALID"
    twice = client.post("/api/payments", json=paying(**asked))
    assert refusal(twice) == (409, "already_paid")


def test_the_number_of_a_card_is_refused_and_logged_nowhere(
    client: httpx.Client, cinema: Cinema, system: System
) -> None:
    """A client could send us the number of a card by mistake, and we would keep it."""
    held = hold(client, cinema.screening(**PRICES), 4, user_id=new_user()).json()
    asked = {"reservation_id": held["reservation_id"]}
    assert named(client.post("/api/payments", json=paying(CARD, **asked))) == {"token"}
    unknown = paying(**asked) | {"card_number": CARD}
    assert named(client.post("/api/payments", json=unknown)) == {"card_number"}
    keyed = client.post("/api/payments", json=paying(**asked), headers={"Idempotency-Key": CARD})
    assert named(keyed) == {"Idempotency-Key"}
    assert CARD not in system.log()
