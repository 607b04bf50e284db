"""The collection is what Postman expects, and that of the contract."""

import json
from typing import Any

import pytest

from gateway import comments, contract, postman
from gateway.__main__ import SERVICES
from gateway.walkthrough import STEPS
from tests.e2e import postman as runner

BINDINGS = contract.read(SERVICES)


@pytest.fixture(scope="module")
def collection() -> dict[str, Any]:
    """Gives the collection of the whole contract."""
    return postman.collection(BINDINGS, comments.load())


def requests(collection: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists every request, those of the walk first."""
    return [item for folder in collection["item"] for item in folder["item"]]


def test_the_file_is_that_of_the_contract(collection: dict[str, Any]) -> None:
    """As `make lint` checks, too."""
    assert json.loads(postman.FILE.read_text(encoding="utf-8")) == collection


def test_every_endpoint_is_there(collection: dict[str, Any]) -> None:
    """Once in its service's folder, with what the contract says of it."""
    walk, *folders = collection["item"]
    assert len(walk["item"]) == len(STEPS) + 1  # with a look into the mailbox
    items = [item for folder in folders for item in folder["item"]]
    assert len(items) == len(BINDINGS) + 3
    assert all(item["name"] for item in items)
    methods = {(item["request"]["method"], item["request"]["url"]["raw"]) for item in items}
    assert len(methods) == len(items)
    assert ("PUT", "{{base_url}}/events/:event_id") in methods


def test_every_variable_is_declared(collection: dict[str, Any]) -> None:
    """Or Postman would send the braces."""
    declared = {*runner.variables(collection), "$guid"}
    used = set(runner.VARIABLE.findall(json.dumps(collection["item"])))
    assert used <= declared


def test_bodies_are_json_once_variables_have_values(collection: dict[str, Any]) -> None:
    """A variable that stands for a number is not quoted, any other is."""
    bodies = [item["request"]["body"]["raw"] for item in requests(collection) if _has_body(item)]
    for raw in bodies:
        assert json.loads(runner.VARIABLE.sub("7", raw))
    [booking] = (raw for raw in bodies if '"seat_count": 2' in raw)
    assert '"event_id": {{event_id}}' in booking


def test_what_anybody_may_call_has_no_token(collection: dict[str, Any]) -> None:
    """Everything else has that of the collection."""
    with_auth = {
        item["request"]["url"]["raw"]: "auth" in item["request"] for item in requests(collection)
    }
    assert with_auth["{{base_url}}/auth/login"]
    assert not with_auth["{{base_url}}/bookings"]


def _has_body(item: dict[str, Any]) -> bool:
    return "body" in item["request"]
