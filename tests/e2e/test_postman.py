"""Runs the Postman collection against a running system."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx

from deploy.local.log_printer import LogPrinter
from deploy.local.mailbox.smtp_server import open_mailbox
from tests.e2e import postman, sample_data
from tests.e2e.conftest import Start
from tests.e2e.postman import Json, Runner

FILE = Path(__file__).parents[2] / "docs/postman/boxoffice.postman_collection.json"
MAIL_SECONDS = 60
REFUSED = {
    "DELETE /api/movies/:movie_id": "permission_denied",
    "DELETE /api/screenings/:screening_id": "permission_denied",
    "DELETE /api/queue/:event_id": "event_not_found",
    "DELETE /api/seat-reservations/:reservation_id": "reservation_not_found",
    "DELETE /api/webhooks/:webhook_id": "webhook_not_found",
    "DELETE /auth/api-keys/:api_key_id": "not_found",
    "DELETE /bookings/:reference": "already_cancelled",
    "GET /api/audit": "permission_denied",
    "GET /api/tickets/:ticket_id/qr": "ticket_revoked",
    "GET /api/tickets/:ticket_id/pdf": "ticket_revoked",
    "POST /api/tickets/:ticket_id/transfer": "ticket_revoked",
    "GET /api/webhooks/:webhook_id": "webhook_not_found",
    "GET /api/webhooks/:webhook_id/deliveries": "webhook_not_found",
    "GET /status/:event_id/waiting-list/:user_id": "booking_not_found",
    "PATCH /api/webhooks/:webhook_id": "webhook_not_found",
    "POST /api/auth/register": "email_taken",
    "POST /api/payments": "hold_expired",
    "POST /api/payments/:payment_id/refund": "validation_error",
    "POST /api/payments/webhooks/:provider": "bad_request",
    "POST /api/queue/:event_id": "queue_off",
    "POST /api/screenings": "room_occupied",
    "POST /api/tickets": "hold_expired",
    "POST /api/tickets/check-in": "invalid_ticket_code",
    "POST /api/webhooks/:webhook_id/replay": "webhook_not_found",
    "POST /api/webhooks/:webhook_id/rotate-secret": "webhook_not_found",
    "POST /auth/change-email": "rate_limited",
    "POST /auth/forgot-password": "rate_limited",
    "POST /auth/register": "invalid_code",
    "POST /auth/reset-password": "invalid_code",
    "POST /auth/send-code": "rate_limited",
    "PUT /api/screenings/:screening_id/blocked-seats": "seats_unavailable",
}
"""Requests outside the walk that are refused after it: it did the same, or they are for others."""


async def test_the_collection_runs_from_registration_to_cancellation(
    start: Start, unused_tcp_port: int
) -> None:
    """A request of the collection could lack what an earlier one has found."""
    collection = json.loads(FILE.read_text(encoding="utf-8"))
    first, *others = collection["item"][0]["item"]
    printer = LogPrinter.for_stream(io.StringIO())
    async with open_mailbox(printer, page_port=unused_tcp_port) as smtp_url:
        system = start(
            ACCOUNTS_SMTP_URL=smtp_url,
            ACCOUNTS_ORGANIZER_SIGN_UP="open",
            BOXOFFICE_OPEN_ACCESS="false",
            GATEWAY_RATE_LIMITS="on",
        )
        mailbox_url = f"http://127.0.0.1:{unused_tcp_port}"
        variables = postman.variables(collection)
        variables |= {"base_url": system.url, "mailbox_url": mailbox_url}
        with httpx.Client(trust_env=False) as client:
            runner = Runner(client, collection["auth"], variables)
            runner.run(first)
            await arrived(mailbox_url, variables["email"])
            *_, listed, cancelled = [runner.run(item) for item in others]
            await asyncio.to_thread(sample_data.load, system, open_access=False)
            for item in collection["item"][1]["item"]:
                runner.run(item)
            refused = dict(run_alone(runner, collection["item"][2:]))
    [booking] = listed.json()["data"]
    assert booking["reference"] == variables["reference"] == cancelled.json()["reference"]
    assert (booking["seat_count"], cancelled.json()["status"]) == (2, "CANCELLED")
    assert refused == REFUSED


def run_alone(runner: Runner, folders: list[Json]) -> Iterator[tuple[str, str]]:
    """Runs each other request, those that end something last; returns the refusals."""
    items = [item for folder in folders for item in folder["item"]]
    for item in sorted(items, key=_ends_things):
        answer = runner.run(item)
        if not answer.is_success:
            request = item["request"]
            path = request["url"]["raw"].removeprefix("{{base_url}}")
            yield f"{request['method']} {path}", answer.json()["error"]


def _ends_things(item: Json) -> bool:
    return item["request"]["method"] == "DELETE" or "sessions of the caller" in item["name"]


async def arrived(mailbox_url: str, email: str) -> None:
    """Waits for a letter, as the pause of the collection does."""
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(MAIL_SECONDS):
        while email not in (await client.get(mailbox_url)).text:  # noqa: ASYNC110 - pages tell nobody
            await asyncio.sleep(0.05)
