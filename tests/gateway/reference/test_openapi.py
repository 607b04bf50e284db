"""The documentation says what the gateway does."""

import re
from typing import Any

import orjson
import pytest
from openapi_spec_validator import validate

from boxoffice.rest.v1 import rest_pb2
from gateway.codec import json_body, request
from gateway.contract import bindings, comments
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings
from gateway.http.errors import TEMPLATES
from gateway.reference import openapi
from gateway.reference.responses import GENERAL, own_refusals
from gateway.services import SERVICES
from tests.gateway.bindings import ruled

BINDINGS = read_bindings(SERVICES)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Returns the document as a client reads it."""
    made = openapi.document(BINDINGS, comments.load())
    parsed: dict[str, Any] = orjson.loads(orjson.dumps(made))
    return parsed


def operation(document: dict[str, Any], binding: Binding) -> dict[str, Any]:
    """Finds the operation of a binding."""
    found: dict[str, Any] = document["paths"][binding.path][binding.http_method.lower()]
    return found


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """Tools would refuse the document."""
    validate(document)


def test_every_binding_is_an_operation_of_its_own(document: dict[str, Any]) -> None:
    """Generated clients would have two methods of one name."""
    found = [operation(document, binding) for binding in BINDINGS]
    found += [document["paths"][path]["get"] for path in ("/health", "/ready", "/metrics")]
    assert len(found) == sum(len(path) for path in document["paths"].values())
    assert len({one["operationId"] for one in found}) == len(found)
    assert all(one["summary"] for one in found)


def test_everything_is_described(document: dict[str, Any]) -> None:
    """Readers of /docs would see fields without a word about them."""
    schemas = document["components"]["schemas"]
    assert all(schema["description"] for schema in schemas.values())
    assert schemas["ReserveRequest"]["properties"]["user_id"]["description"].startswith(
        "User who books"
    )
    parameters = [p for binding in BINDINGS for p in operation(document, binding)["parameters"]]
    assert all(parameter["description"] for parameter in parameters)


def test_operations_are_told_in_words_of_rest(document: dict[str, Any]) -> None:
    """Readers of REST would be told of RPCs and their codes."""
    for binding in BINDINGS:
        found = operation(document, binding)
        said = f"{found['summary']} {found['description']}"
        assert not re.search("Refuses|[A-Z]/[A-Z]|metadata|update_mask", said)
        assert "`" not in found["summary"]
    reserve = document["paths"]["/api/bookings/reserve"]["post"]
    assert reserve["summary"] == "Books one seat of an event for a user"


@pytest.mark.parametrize(
    ("method", "path", "security"),
    [
        ("get", "/events", []),
        ("post", "/auth/login", []),
        ("post", "/api/bookings/reserve", [{}, {"bearer": []}]),
        ("post", "/bookings", [{"bearer": []}]),
        ("get", "/events/organizer/my-events", [{"bearer": []}]),
    ],
)
def test_a_token_is_asked_for_where_it_is_needed(
    document: dict[str, Any], method: str, path: str, security: list[Any]
) -> None:
    """Generated clients would send no token, or ask for one that nobody needs."""
    assert document["paths"][path][method]["security"] == security


def test_a_request_is_described_as_strictly_as_it_is_read(document: dict[str, Any]) -> None:
    """Clients that follow the document would be refused."""
    schema = document["components"]["schemas"]["ReserveRequest"]
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["event_id"]
    event_id, user_id = schema["properties"]["event_id"], schema["properties"]["user_id"]
    assert (event_id["minimum"], event_id["maximum"]) == (1, 2**63 - 1)
    assert (user_id["minLength"], user_id["maxLength"]) == (1, 128)
    event = document["components"]["schemas"]["EventInput"]
    assert event["required"] == ["name"]
    assert event["allOf"] == [{"anyOf": [{"required": ["total_seats"]}, {"required": ["room_id"]}]}]
    assert "required" not in document["components"]["schemas"]["EventUpdate"]
    assert "id" not in document["components"]["schemas"]["EventUpdate"]["properties"]


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [("alice", True), ("Ünïcødé 名前", True), ("a\u0085b", False), ("a\u200bb", False)],
)
def test_patterns_mean_what_the_contract_means(
    document: dict[str, Any], text: str, is_fine: bool
) -> None:
    """A reader of JSON Schema without Unicode categories would refuse good names."""
    schema = document["components"]["schemas"]["ReserveRequest"]["properties"]["user_id"]
    assert bool(re.search(schema["pattern"], text)) == is_fine


def codes(document: dict[str, Any], response: dict[str, Any]) -> list[str]:
    """Lists the codes that a response may have."""
    shared = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    found: list[str] = shared["content"]["application/json"]["schema"]["properties"]["error"][
        "enum"
    ]
    return found


def test_every_refusal_of_the_contract_is_documented(document: dict[str, Any]) -> None:
    """A client would get a code that the document does not have."""
    for binding in BINDINGS:
        responses = operation(document, binding)["responses"]
        for reason in map(bindings.reason_name, binding.rule.refusals):
            is_own = reason in own_refusals(binding)
            status = str(TEMPLATES[reason].status) if is_own else "default"
            assert reason.lower() in codes(document, responses[status])


def test_only_special_refusals_are_inline(document: dict[str, Any]) -> None:
    """What is particular to an endpoint would be lost among twenty common codes."""
    responses = document["paths"]["/api/bookings/reserve"]["post"]["responses"]
    assert list(responses) == ["201", "404", "409", "default"]
    assert list(document["paths"]["/events"]["get"]["responses"]) == ["200", "default"]


def test_a_status_admits_the_general_refusals_too(document: dict[str, Any]) -> None:
    """A schema of 422 without `validation_error` would break generated clients."""
    responses = document["paths"]["/auth/register"]["post"]["responses"]
    found = codes(document, responses["422"])
    assert found[0] == "invalid_code"
    assert "validation_error" in found


def test_general_refusals_are_documented_once(document: dict[str, Any]) -> None:
    """The document would repeat the same list at each endpoint."""
    defaults = [operation(document, binding)["responses"]["default"] for binding in BINDINGS]
    assert all(one == defaults[0] for one in defaults)
    expected = {bindings.reason_name(reason).lower() for reason in GENERAL}
    assert set(codes(document, defaults[0])) == expected


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/auth/login", "Anyone."),
        ("/bookings", "Any account. An API key needs the scope `BOOKINGS_WRITE`."),
        ("/auth/api-keys", "Any account. API keys are not accepted."),
        ("/book", "callers without a token only while open access is on."),
    ],
)
def test_operations_name_their_callers(document: dict[str, Any], path: str, told: str) -> None:
    """People would find out by 401 and 403."""
    first = document["paths"][path]["post"]["description"].splitlines()[0]
    assert first.startswith("**Who may call:** ")
    assert told in first


def test_a_group_of_endpoints_says_what_it_is_for(document: dict[str, Any]) -> None:
    """Readers would have to guess what a tag stands for."""
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    used = {operation(document, binding)["tags"][0] for binding in BINDINGS}
    assert used < set(described)
    assert {"Waiting list", "API keys"} <= used
    assert all(described.values())


def test_other_names_of_fields_are_in_a_table(document: dict[str, Any]) -> None:
    """Each description would repeat them, or none have them."""
    assert "| `name` | `title` | `title` |" in document["info"]["description"]
    assert "Also called" not in str(document["components"]["schemas"])


def test_a_code_is_listed_once(document: dict[str, Any]) -> None:
    """A code with which both gateway and service refuse would be listed twice."""
    for response in document["components"]["responses"].values():
        codes = response["content"]["application/json"]["schema"]["properties"]["error"]["enum"]
        assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/api/bookings", "A page has 50 rows, or as many as `page_size` says: at most 200."),
        ("/bookings", "A page has 50 rows, or as many as `limit` says: at most 200."),
    ],
)
def test_the_size_of_a_page_is_told(document: dict[str, Any], path: str, told: str) -> None:
    """A list that ends after 50 rows would look whole."""
    assert told in document["paths"][path]["get"]["description"]


def test_quotas_are_told(document: dict[str, Any]) -> None:
    """A client would learn of a quota from its 429."""
    login = document["paths"]["/auth/login"]["post"]["description"]
    assert "At most 10 failed requests in 900 seconds for each `email` from each address" in login


@pytest.mark.parametrize("binding", BINDINGS, ids=lambda b: f"{b.http_method} {b.path}")
def test_examples_are_accepted(document: dict[str, Any], binding: Binding) -> None:
    """What the page offers to try would be answered with 422."""
    found = operation(document, binding)
    examples = {
        place: {p["name"]: str(p["example"]) for p in found["parameters"] if shown(p, place)}
        for place in ("path", "query")
    }
    content = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = json_body.parse(orjson.dumps(content["example"])) if content else []
    query = list(examples["query"].items())
    request.Decoder(binding).decode(examples["path"], {}, query, body)


def shown(parameter: dict[str, Any], place: str) -> bool:
    """Returns whether a parameter is in a place, with an example."""
    return parameter["in"] == place and "example" in parameter


def test_the_first_execute_has_all_that_it_needs(document: dict[str, Any]) -> None:
    """Without a token the example of a reservation would lack `user_id`."""
    body = document["paths"]["/api/bookings/reserve"]["post"]["requestBody"]
    example = body["content"]["application/json"]["example"]
    assert example == {"event_id": 1, "user_id": "alice"}


def test_a_response_without_content_is_documented_as_such(document: dict[str, Any]) -> None:
    """Generated clients would wait for a body that never comes."""
    assert "content" not in document["paths"]["/auth/logout"]["post"]["responses"]["204"]


def test_conditional_reads_are_documented(document: dict[str, Any]) -> None:
    """Generated clients would take 304 for a failure."""
    found = {
        (path, method)
        for path, operations in document["paths"].items()
        for method, found in operations.items()
        if "304" in found["responses"]
    }
    paths = (
        "/events/{event_id}",
        "/api/events/{event_id}/availability",
        "/status/{event_id}",
        "/api/screenings/{screening_id}",
        "/api/screenings/{screening_id}/seats",
        "/api/seat-reservations/available-seats/{screening_id}",
        "/api/seat-reservations/{reservation_id}",
        "/api/movies/{movie_id}",
        "/api/theaters/{theater_id}",
        "/api/rooms/{room_id}",
        "/api/seat-plans/{plan_id}",
        "/api/tickets/{ticket_id}/qr",
        "/api/tickets/{ticket_id}/pdf",
        "/api/tickets/{ticket_id}/calendar.ics",
        "/api/events/{event_id}/report",
    )
    assert found == {(path, "get") for path in paths}


def test_every_success_is_documented() -> None:
    """Generated clients would take another success for a failure."""
    other = rest_pb2.OtherSuccess(field="replayed", status=200)
    rule = rest_pb2.MethodRule(other_success=other)
    made = openapi.document([ruled("Reserve", rule)], comments.load())
    responses = made["paths"]["/api/bookings/reserve"]["post"]["responses"]
    assert [status for status in responses if status < "300"] == ["200", "201"]
    assert responses["200"] == responses["201"]
    assert "$ref" in responses["409"]


def test_values_that_nobody_may_choose_are_not_offered(document: dict[str, Any]) -> None:
    """A form that is generated would offer roles that are refused."""
    fields = document["components"]["schemas"]["RegisterWithCodeRequest"]["properties"]
    assert fields["role"]["enum"] == ["USER", "ORGANIZER", None]
    assert fields["email"]["format"] == "email"
