"""The responses of the documentation."""

from dataclasses import replace

from boxoffice.rest.v1 import reasons_pb2, rest_pb2
from gateway.http.errors import TEMPLATES
from gateway.reference.responses import Responses
from gateway.reference.schemas import Schemas
from tests.gateway.bindings import ruled

MONEY = "boxoffice.type.v1.Money"


def test_details_of_a_refusal_are_described() -> None:
    """A generated client could not read which seats are gone."""
    schemas = Schemas({})
    templates = {
        **TEMPLATES,
        "SOLD_OUT": replace(TEMPLATES["SOLD_OUT"], details=MONEY),
    }
    rule = rest_pb2.MethodRule(refusals=[reasons_pb2.REASON_SOLD_OUT])
    responses = Responses(schemas, templates)
    reference = responses.of(ruled("GetEvent", rule))["409"]["$ref"]
    response = responses.components[reference.removeprefix("#/components/responses/")]
    body = response["content"]["application/json"]["schema"]
    assert body["properties"]["details"] == {"$ref": "#/components/schemas/Money"}
    assert body["required"] == ["error"]
    assert "Money" in schemas.components
