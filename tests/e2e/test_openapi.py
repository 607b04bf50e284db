import os
import re
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis import Response
from schemathesis.core.result import Ok
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from gateway.contract import comments
from gateway.contract.reader import read_bindings
from gateway.reference import openapi
from gateway.services import SERVICES
from tests.e2e.system import System

# With this setting each run generates new requests; without it, the same ten per operation.
AT_RANDOM = int(os.environ.get("FUZZ_EXAMPLES", "0"))
DOCUMENT = openapi.document(read_bindings(SERVICES), comments.load())
REFUSED_TOO = {412, 413, 414, 431}
NO_TIMES = ("be a time in the years 1 to 9999", "have a time of day from 00:00:00 to 23:59:59")
TIMES = ("at", "starts_at", "ends_at", "sales_open_at", "sales_close_at", "refund_until")
BY_STATE = {
    "bad_request",  # without the signature of a provider
    "idempotency_key_reused",
    "invalid_code",
    "invalid_page_token",
    "invalid_ticket_code",
    "version_mismatch",
}
BY_VALUE = {
    ("", "one of seat_ids, best must be set"),
    ("", "only one of seat_ids, best can be set"),
    ("", "one of reservation_id, booking_id must be set"),
    ("", "only one of reservation_id, booking_id can be set"),
    ("", "one of ticket_id, reservation_id, booking_id must be set"),
    ("", "only one of ticket_id, reservation_id, booking_id can be set"),
    *((name, "given more than once") for name in ("reservation_id", "booking_id")),  # both a UUID
    *((name, f"must {rule}") for name in TIMES for rule in NO_TIMES),
    ("best.accessible", "must not be more than `count`"),
    ("date", "must be a day that the calendar has"),
    ("date", "must be a day of the years 1 to 9999 in every time zone"),
    ("release_date", "must be a day that the calendar has"),
    ("seat_type_prices", "must be in one currency, that of price"),
    ("starts_at", "must be a time of the years 1 to 9999, as the end is"),
    ("total_seats", "must be the number of seats of the room"),
    ("ends_at", "cannot be set without a room"),
    ("ends_at", "must be after starts_at"),
    *((name, "value is required") for name in ("starts_at", "ends_at")),  # with a room
    ("key", "cannot change"),
    ("page_token", "cannot be given beside `page` or `limit`"),
    ("sales_close_at", "must be after sales_open_at"),
    ("status", "must not be null"),  # in updates, where all else may be cleared
    ("total_seats", "must not be null"),  # in updates, too
    ("total_seats", "value is required"),  # beside a `room_id` of 1.0
    ("time_zone", "must be the name of an IANA time zone, like Europe/Berlin"),
    ("token", "value is required"),  # of a provider without a page of its own
    ("user_id", "value is required"),  # for callers without a token
}

NUMBER = re.compile(r", \d+$")
"""The number at the end of a message, which depends on the data."""
ANYWHERE = {"must be an integer"}  # 1.0 is one to JSON Schema

SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
# A stream of events has no end to wait for.
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if not path.endswith("/stream")
]


def test_the_document_is_openapi() -> None:
    """Tools could fail to read the document."""
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_document_is_served(client: httpx.Client) -> None:
    """The served document could differ from the tested one."""
    assert client.get("/openapi.json").json() == DOCUMENT


@pytest.mark.parametrize("operation", OPERATIONS)
def test_responses_match_the_document(operation: str, system: System) -> None:
    """A response could differ from the document, for valid or invalid requests."""
    # Making requests takes seconds. As `schema.parametrize()` each worker would make all of them.
    one = SCHEMA.include(name=operation)
    [made] = get_all_tests(schema=one, test_func=check, settings=None, given_kwargs=None)
    assert isinstance(made, Ok)
    _, test = made.ok()
    test(system=system)


@settings(
    max_examples=AT_RANDOM or 6,
    deadline=None,
    derandomize=not AT_RANDOM,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
def check(case: schemathesis.Case[Any], system: System) -> None:
    """Sends a request; fails if the response is not as the document says."""
    response = case.call(base_url=system.url)
    case.validate_response(response, excluded_checks=inapplicable_checks(response))


def inapplicable_checks(response: Response) -> list[Any]:
    """Returns the checks that do not apply to a refusal."""
    inapplicable: list[Any] = []
    if is_beyond_schemas(response):
        inapplicable.append(positive_data_acceptance)
    if response.status_code in REFUSED_TOO:
        inapplicable.append(negative_data_rejection)
    return inapplicable


def is_beyond_schemas(response: Response) -> bool:
    """Returns whether a request was refused by a rule that no JSON Schema can express."""
    if response.status_code not in {400, 412, 422}:
        return False
    body = response.json()
    if body["error"] in BY_STATE:
        return True
    details = {(one["path"], NUMBER.sub("", one["message"])) for one in body.get("details", ())}
    return bool(details) and {one for one in details if one[1] not in ANYWHERE} <= BY_VALUE
