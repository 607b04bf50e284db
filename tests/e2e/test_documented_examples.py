"""Sends each example of the documentation, unchanged, to a system with sample data."""

from typing import Any

import httpx

from boxoffice.rest.v1 import rest_pb2
from deploy.operator.sample_data import ADMIN, ORGANIZER
from gateway.contract import comments
from gateway.contract.reader import read_bindings
from gateway.reference import access, openapi
from gateway.services import SERVICES
from tests.e2e import sample_data
from tests.e2e.client import open_client
from tests.e2e.conftest import Start

BINDINGS = read_bindings(SERVICES)
DOCUMENT = openapi.document(BINDINGS, comments.load())
OF_OWNERS = {"SetBlockedSeats", "GetCheckInBundle", "GetEventReport", "RenderEventReport"}
OF_ADMINS = {
    (one.http_method.lower(), one.path)
    for one in BINDINGS
    if one.rule.access == rest_pb2.ACCESS_ADMIN or one.rpc.name in OF_OWNERS
}
"""What needs an admin's token: the screenings of the sample data belong to an admin."""
LAST = ("DeleteMovie", "DeleteScreening", "DeleteEvent", "LogoutAll", "DeleteMe")
REFUSED = {
    "GetBookingByReference": "booking_not_found",
    "CancelBookingByReference": "booking_not_found",
    "GetWaitingListEntry": "booking_not_found",
    "RegisterWithCode": "invalid_code",
    "RefreshSession": "invalid_token",
    "ForgotPassword": "rate_limited",
    "ResetPassword": "invalid_code",
    "ChangeEmail": "invalid_credentials",
    "DeleteApiKey": "not_found",
    "GetSeatReservation": "reservation_not_found",
    "ReleaseSeats": "reservation_not_found",
    "CreateTicket": "reservation_not_found",
    "CreatePayment": "reservation_not_found",
    "GetPayment": "payment_not_found",
    "RefundPayment": "payment_not_found",
    "ReceiveProviderEvent": "bad_request",
    "RenderTicketQrCode": "ticket_not_found",
    "TransferTicket": "ticket_not_found",
    "RenderTicketPdf": "ticket_not_found",
    "RenderTicketCalendar": "ticket_not_found",
    "CheckInTicket": "invalid_ticket_code",
    "GetTicket": "ticket_not_found",
    "JoinQueue": "queue_off",
    "LeaveQueue": "queue_entry_not_found",
    "GetWebhook": "webhook_not_found",
    "UpdateWebhook": "webhook_not_found",
    "DeleteWebhook": "webhook_not_found",
    "RotateWebhookSecret": "webhook_not_found",
    "ReplayWebhook": "webhook_not_found",
    "ListWebhookDeliveries": "webhook_not_found",
    "UpdateScreening": "room_occupied",
    "UpdateScreeningByPut": "room_occupied",
    "DeleteMovie": "invalid_transition",
}
"""Operations that need data which no sample has: a reference, a code of a letter, a token, a
signature. The room is occupied once the example of CreateScreening has run, and the movie is shown
next week."""


def test_every_example_succeeds(start: Start) -> None:
    """A user's first "Execute" in the documentation could fail."""
    system = start()
    sample_data.load(system, open_access=True)
    with open_client(system.url) as client:
        organizer = sample_data.log_in(client, ORGANIZER)
        admin = sample_data.log_in(client, ADMIN)
        operations = [
            (method, path, operation)
            for path, methods in DOCUMENT["paths"].items()
            for method, operation in methods.items()
        ]
        operations.sort(key=lambda one: one[2]["operationId"] in LAST)
        refused = {}
        for method, path, operation in operations:
            token = organizer if needs_token(operation) else {}
            if (method, path) in OF_ADMINS:
                token = admin
            response = execute(client, method, path, operation, token)
            if not response.is_success:
                refused[operation["operationId"]] = response.json()["error"]
                assert response.json()["error"] in inline(operation)
    assert refused == REFUSED


def needs_token(operation: dict[str, Any]) -> bool:
    """Returns whether an operation is refused without a token."""
    return bool(operation["security"] == [{access.TOKEN: []}])


def execute(
    client: httpx.Client, method: str, path: str, operation: dict[str, Any], token: dict[str, str]
) -> httpx.Response:
    """Sends the example of an operation."""
    shown = [one for one in operation.get("parameters", ()) if "example" in one]
    found = {
        place: {one["name"]: one["example"] for one in shown if one["in"] == place}
        for place in ("path", "query")
    }
    content = operation.get("requestBody", {"content": {}})["content"].get("application/json")
    return client.request(
        method,
        path.format_map(found["path"]),
        params=found["query"],
        headers=token,
        json=content and content["example"],
    )


def inline(operation: dict[str, Any]) -> set[str]:
    """Returns the refusals that the documentation lists at an operation."""
    references = [one["$ref"] for one in operation["responses"].values() if "$ref" in one]
    names = [reference.rpartition("/")[2] for reference in references]
    return {code for name in names for code in name.split(".")[1:]}
