import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.cinema import PRICES, Cinema, open_cinema
from tests.e2e.client import new_user
from tests.e2e.system import System
from tests.e2e.test_payments_over_http import paying
from tests.e2e.test_seats_over_http import hold


@pytest.fixture(scope="module")
def cinema(system: System) -> Iterator[Cinema]:
    """Returns a cinema of that system."""
    with open_cinema(system) as opened:
        yield opened


def euros(amount_minor: int) -> dict[str, Any]:
    """Returns an amount in JSON."""
    return {"amount_minor": amount_minor, "currency": "EUR"}


def revenue(net: int) -> dict[str, Any]:
    """Returns revenue of which nothing is paid back."""
    return {"gross": euros(net), "refunded": euros(0), "refund_due": euros(0), "net": euros(net)}


def test_an_organizer_reads_what_was_sold(client: httpx.Client, cinema: Cinema) -> None:
    """A report could show other fields than the documentation, or the sheet not be a file."""
    screening, user = cinema.screening(**PRICES), f"=1+1 {new_user()}"
    held = hold(client, screening, 4, 5, user_id=user).json()
    paid = client.post("/api/payments", json=paying(reservation_id=held["reservation_id"]))
    assert paid.json()["status"] == "SUCCEEDED", paid.text
    answer = client.get(f"/api/events/{screening}/report", headers=cinema.headers)
    report = answer.json()
    [day] = report["revenue_by_day"]
    nothing = {"count": 0, "amount": euros(0)}
    assert (answer.status_code, report) == (
        200,
        {
            "event_id": screening,
            "name": report["name"],
            "is_cancelled": False,
            "at": report["at"],
            "seats": {"total": 8, "sold": 2, "held": 0, "blocked": 0, "left": 6},
            "bookings": {"held": 0, "confirmed": 1, "cancelled": 0, "expired": 0},
            "tickets": {"awaiting_payment": 0, "valid": 1, "used": 0, "revoked": 0},
            "admissions": {"checked_in": 0, "double_admissions": 0},
            "revenue": [revenue(2_400)],
            "revenue_by_day": [{"day": day["day"], "payments": 1, "revenue": revenue(2_400)}],
            "seat_types": [
                {"seat_type": "REGULAR", "total": 4, "sold": 1, "revenue": [revenue(900)]},
                {"seat_type": "VIP", "total": 4, "sold": 1, "revenue": [revenue(1_500)]},
            ],
            "revenue_by_provider": [
                {"provider": "sandbox", "payments": 1, "revenue": revenue(2_400)}
            ],
            "refunds": [],
        },
    )
    sheet = client.get(f"/api/events/{screening}/report.csv", headers=cinema.headers)
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "text/csv")
    name = f'attachment; filename="event-{screening}-bookings.csv"'
    assert sheet.headers["content-disposition"] == name
    [line] = csv.DictReader(io.StringIO(sheet.text, newline=""))
    assert line == {
        "booking_id": str(held["booking_id"]),
        "reference": held["reservation_id"],
        "user_id": f"'{user}",
        "status": "CONFIRMED",
        "seats": "2",
        "price_minor": "2400",
        "currency": "EUR",
        "paid_minor": "2400",
        "refunded_minor": "0",
        "ticket_status": "VALID",
        "checked_in": "0",
        "checked_in_at": "",
        "created_at": line["created_at"],
    }
    cancelled = client.delete(f"/events/{screening}", headers=cinema.headers)
    assert cancelled.status_code == 200
    after = client.get(f"/api/events/{screening}/report", headers=cinema.headers).json()
    [refunds] = after["refunds"]
    assert (after["is_cancelled"], refunds["failed"]) == (True, nothing)
    assert refunds["total"] == {"count": 1, "amount": euros(2_400)}
