"""Types of fields that events and bookings do not use yet, and that REST carries all the same."""

from typing import Any

import orjson
import pytest
from google.protobuf.message import Message

from gateway.codec import json_body
from gateway.codec.request import Decoder
from gateway.codec.response import message_encoder
from gateway.reference.schemas import Schemas
from services.kit.rpc.errors import ValidationFailed
from tests.gateway.codec.field_types import binding

BINDING = binding()
DECODER = Decoder(BINDING)
ENCODE = message_encoder(BINDING.rpc.output_type)
SAMPLE = {
    "ratio": 0.25,
    "digest": "AP8=",
    "prices": {"VIP": {"amount_minor": 1500, "currency": "EUR"}},
    "labels": {"7": "7a", "-1": "x"},
    "shares": {"a": 0.5, "b": 1.0},
}


def decoded(body: Any) -> Message:
    """Reads a body."""
    return DECODER.decode({}, {}, [], json_body.parse(orjson.dumps(body)))


def test_doubles_bytes_and_maps_go_there_and_back() -> None:
    """A price or a digest would reach the service as something else than the client sent."""
    message = decoded(SAMPLE)
    assert ENCODE(message) == SAMPLE
    assert orjson.dumps(ENCODE(decoded({}))) == orjson.dumps(
        {"ratio": 0.0, "digest": "", "prices": {}, "labels": {}, "shares": {}}
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"ratio": True}, "ratio"),
        ({"ratio": "1"}, "ratio"),
        ({"ratio": 1.5}, "ratio"),
        ({"digest": "AP8"}, "digest"),
        ({"digest": "A P8="}, "digest"),
        ({"digest": "AP9="}, "digest"),
        ({"digest": "AAAA="}, "digest"),
        ({"digest": 5}, "digest"),
        ({"digest": "A" * 44}, "digest"),
        ({"prices": []}, "prices"),
        ({"prices": {"VIP": None}}, "prices.VIP"),
        ({"prices": {"VIP": {"amount_minor": "1"}}}, "prices.VIP.amount_minor"),
        ({"labels": {"seven": "7"}}, "labels.seven"),
        ({"labels": {"1": 1}}, "labels.1"),
        ({"shares": {"a": 0.1, "b": 0.1, "c": 0.1, "d": 0.1}}, "shares"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(body: dict[str, Any], path: str) -> None:
    """A value would be coerced, or the client not learn which entry is wrong."""
    with pytest.raises(ValidationFailed) as caught:
        decoded(body)
    assert path in {violation.path for violation in caught.value.violations}


def test_numbers_beyond_a_double_are_refused() -> None:
    """A number would be rounded: Python reads integers of any size, which no double holds."""
    with pytest.raises(ValidationFailed):
        DECODER.decode({}, {}, [], json_body.parse(b'{"ratio": 1%s}' % (b"0" * 400)))


def test_a_key_comes_once() -> None:
    """Two readers would take different ones of two equal keys."""
    with pytest.raises(ValidationFailed):
        DECODER.decode({}, {}, [], json_body.parse(b'{"labels": {"1": "a", "1": "b"}}'))


def test_the_documentation_knows_them() -> None:
    """Generated clients would send other types than the gateway reads."""
    schemas = Schemas({})
    schemas.body(BINDING)
    sent = schemas.components["Sample"]["properties"]
    assert (sent["ratio"]["type"], sent["ratio"]["maximum"]) == (["number", "null"], 1)
    assert (sent["digest"]["contentEncoding"], sent["digest"]["maxLength"]) == ("base64", 44)
    assert sent["prices"]["maxProperties"] == 3
    assert sent["prices"]["additionalProperties"] == {"$ref": "#/components/schemas/MoneyInput"}
    answered = Schemas({})
    answered.response(BINDING.rpc.output_type)
    assert answered.components["Sample"]["properties"]["shares"]["additionalProperties"] == {
        "type": "number",
        "format": "double",
    }
