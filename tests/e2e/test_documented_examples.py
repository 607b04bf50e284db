"""Sends each example of the documentation, unchanged, to a system with sample data."""

from typing import Any

import httpx

from deploy.operator.sample_data import ADMIN, ORGANIZER
from gateway.contract import comments
from gateway.contract.reader import read_bindings
from gateway.reference import access, openapi
from gateway.services import SERVICES
from tests.e2e import sample_data
from tests.e2e.client import open_client
from tests.e2e.conftest import Start

DOCUMENT = openapi.document(read_bindings(SERVICES), comments.load())
LAST = ("DeleteEvent", "DeleteScreening", "LogoutAll", "DeleteMe")
ADMINS_ALONE = "**Who may call:** Admins."
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
    "DeleteMovie": "invalid_transition",
    **dict.fromkeys(
        (
            "GetScreening",
            "UpdateScreening",
            "UpdateScreeningByPut",
            "DeleteScreening",
            "HoldSeats",
            "ReleaseUserSeats",
            "RenderFreeSeats",
            "SuggestSeats",
            "RenderSeatMap",
            "SetBlockedSeats",
        ),
        "screening_not_found",
    ),
    "GetSeatReservation": "reservation_not_found",
    "ReleaseSeats": "reservation_not_found",
}
"""Operations that need data which no sample has: a reference, a code of a letter, a token.

Event 1 is no screening, and movie 1 is still to be shown.
"""


def test_every_example_succeeds(start: Start) -> None:
    """A user's first "Execute" in the documentation could fail."""
    system = start()
    sample_data.load(system, open_access=True)
    with open_client(system.url) as client:
        tokens = {
            True: sample_data.log_in(client, ADMIN),
            False: sample_data.log_in(client, ORGANIZER),
        }
        operations = [
            (method, path, operation)
            for path, methods in DOCUMENT["paths"].items()
            for method, operation in methods.items()
        ]
        operations.sort(key=lambda one: one[2]["operationId"] in LAST)
        refused = {}
        for method, path, operation in operations:
            token = tokens[ADMINS_ALONE in operation.get("description", "")]
            response = execute(client, method, path, operation, token)
            if not response.is_success:
                refused[operation["operationId"]] = response.json()["error"]
                assert response.json()["error"] in inline(operation)
    assert refused == REFUSED


def execute(
    client: httpx.Client, method: str, path: str, operation: dict[str, Any], token: dict[str, str]
) -> httpx.Response:
    """Sends the example of an operation, with a token only where one is needed."""
    shown = [one for one in operation.get("parameters", ()) if "example" in one]
    found = {
        place: {one["name"]: one["example"] for one in shown if one["in"] == place}
        for place in ("path", "query")
    }
    is_needed = operation["security"] == [{access.TOKEN: []}]
    content = operation.get("requestBody", {"content": {}})["content"].get("application/json")
    return client.request(
        method,
        path.format_map(found["path"]),
        params=found["query"],
        headers=token if is_needed else {},
        json=content and content["example"],
    )


def inline(operation: dict[str, Any]) -> set[str]:
    """Returns the refusals that the documentation lists at an operation."""
    references = [one["$ref"] for one in operation["responses"].values() if "$ref" in one]
    names = [reference.rpartition("/")[2] for reference in references]
    return {code for name in names for code in name.split(".")[1:]}
