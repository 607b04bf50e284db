"""The requests of buyers, as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from deploy.load.purchases import Purchase
from deploy.load.target import Target


@dataclass(frozen=True, slots=True)
class Requests:
    """Writes requests about one event. Whoever repeats one uses its key again."""

    target: Target
    event_id: int
    token: str = ""

    def look(self) -> bytes:
        """Asks how many seats are left."""
        return self._write("GET", f"/api/events/{self.event_id}/availability")

    def book(self, purchase: Purchase) -> bytes:
        """Books a seat, or holds it if it has a price; or holds the best seats of a room."""
        key = purchase.key("book")
        if not purchase.wanted:
            body = {"event_id": self.event_id, "user_id": purchase.user_id}
            return self._write("POST", "/api/bookings/reserve", body, key)
        hold = {"screening_id": self.event_id, "user_id": purchase.user_id}
        wish = {"best": {"count": purchase.wanted}}
        return self._write("POST", "/api/seat-reservations", hold | wish, key)

    def booking(self, booking_id: int) -> bytes:
        """Reads a booking."""
        return self._write("GET", f"/api/bookings/booking/{booking_id}")

    def ticket(self, booking_id: int, key: str) -> bytes:
        """Issues the ticket of a booking; one that costs nothing is confirmed with it."""
        return self._write("POST", "/api/tickets", {"booking_id": booking_id}, key)

    def pay(self, ticket_id: str, card: str, key: str) -> bytes:
        """Pays a ticket in the sandbox."""
        body = {"ticket_id": ticket_id, "method": "card", "token": card}
        return self._write("POST", "/api/payments", body, key)

    def cancel(self, reference: str, key: str) -> bytes:
        """Cancels a booking, or gives held seats back."""
        return self._write("DELETE", f"/bookings/{quote(reference)}", key=key)

    def _write(
        self, method: str, path: str, body: Mapping[str, object] | None = None, key: str = ""
    ) -> bytes:
        lines = [f"{method} {self.target.prefix}{path} HTTP/1.1", f"Host: {self.target.authority}"]
        content = b"" if body is None else orjson.dumps(body)
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        if key:
            lines.append(f"Idempotency-Key: {key}")
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        return "\r\n".join([*lines, "", ""]).encode() + content
