"""The collection is what Postman expects, and that of the contract."""

import json
from typing import Any

import pytest

from gateway.contract import comments
from gateway.contract.reader import read_bindings
from gateway.reference import openapi, postman
from gateway.reference.postman_steps import WALKS
from gateway.services import SERVICES
from tests.e2e import postman as runner

BINDINGS = [binding for binding in read_bindings(SERVICES) if not binding.has_events]


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    """Returns the collection of the whole contract."""
    return postman.collection(BINDINGS, comments.load())


def requests(collection: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists every request, those of the walk first."""
    return [item for folder in collection["item"] for item in folder["item"]]


def test_the_file_is_that_of_the_contract(collection: dict[str, Any]) -> None:
    """The collection would have endpoints of another release."""
    assert json.loads(postman.FILE.read_text(encoding="utf-8")) == collection


def test_every_endpoint_is_there(collection: dict[str, Any]) -> None:
    """An endpoint could be missing from the collection, or be in a strange folder."""
    walk, cinema, *folders = collection["item"]
    assert len(walk["item"]) == len(WALKS[0].steps) + 1  # with a look into the mailbox
    assert len(cinema["item"]) == len(WALKS[1].steps)
    items = [item for folder in folders for item in folder["item"]]
    assert len(items) == len(BINDINGS) + 3
    assert all(item["name"] for item in items)
    methods = {(item["request"]["method"], item["request"]["url"]["raw"]) for item in items}
    assert len(methods) == len(items)
    assert ("PUT", "{{base_url}}/events/:event_id") in methods


def test_before_the_walk_a_request_is_the_example_of_the_documentation(
    collection: dict[str, Any],
) -> None:
    """A request that is tried alone would send a literal `event_id`."""
    document = openapi.document(BINDINGS, comments.load())
    variables = runner.variables(collection)
    folders = collection["item"][len(WALKS) :]
    items = [item for folder in folders[:-1] for item in folder["item"]]
    for item, binding in zip(items, BINDINGS, strict=True):
        operation = document["paths"][binding.path][binding.http_method.lower()]
        assert sent(item["request"], variables) == documented(operation), binding.path


def sent(request: dict[str, Any], values: dict[str, str]) -> tuple[dict[str, str], Any]:
    """Returns the parameters and the body of a request of the collection."""
    url = request["url"]
    shown = [*url.get("variable", ()), *url.get("query", ())]
    parameters = {p["key"]: filled(p["value"], values) for p in shown if not p.get("disabled")}
    return parameters, json.loads(filled(request.get("body", {"raw": "null"})["raw"], values))


def documented(operation: dict[str, Any]) -> tuple[dict[str, str], Any]:
    """Returns the parameters and the body of the example of an operation."""
    parameters = {p["name"]: str(p["example"]) for p in operation["parameters"] if "example" in p}
    body = operation.get("requestBody")
    return parameters, body and body["content"].get("application/json", {}).get("example")


def filled(text: str, values: dict[str, str]) -> str:
    """Puts in the variables."""
    return runner.VARIABLE.sub(lambda match: values[match[1]], text)


def test_a_log_in_keeps_its_tokens(collection: dict[str, Any]) -> None:
    """A second refresh would send the token that the first one used up."""
    items = {item["request"]["url"]["raw"]: item for item in requests(collection)}
    for path in ("/auth/login", "/api/auth/register", "/api/auth/refresh", "/auth/reset-password"):
        [event] = items[f"{{{{base_url}}}}{path}"]["event"]
        assert '"refresh_token", pm.response.json().refresh_token' in str(event["script"])


def test_every_variable_is_declared(collection: dict[str, Any]) -> None:
    """Postman would send the braces."""
    declared = {*runner.variables(collection), "$guid"}
    used = set(runner.VARIABLE.findall(json.dumps(collection["item"])))
    assert used <= declared


def test_bodies_are_json_once_variables_have_values(collection: dict[str, Any]) -> None:
    """A variable that stands for a number would be sent as text, or text without quotes."""
    bodies = [item["request"]["body"]["raw"] for item in requests(collection) if _has_body(item)]
    for raw in bodies:
        assert isinstance(json.loads(runner.VARIABLE.sub("7", raw)), dict)
    [booking] = (raw for raw in bodies if '"seat_count": 2' in raw)
    assert '"event_id": {{event_id}}' in booking


def test_public_requests_have_no_token(collection: dict[str, Any]) -> None:
    """Public requests would fail before the log-in, and others have no token after it."""
    with_auth = {
        item["request"]["url"]["raw"]: "auth" in item["request"] for item in requests(collection)
    }
    assert with_auth["{{base_url}}/auth/login"]
    assert not with_auth["{{base_url}}/bookings"]


def _has_body(item: dict[str, Any]) -> bool:
    return "body" in item["request"]
