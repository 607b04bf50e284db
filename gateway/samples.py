"""Example bodies for the documentation."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import Descriptor

from gateway import contract, rules, values
from gateway.contract import Field

_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "currency": "EUR",
        "code": "123456",
        "description": "Doors open an hour before.",
        "email": "alice@example.com",
        "email_verification_code": "123456",
        "firstname": "Alice",
        "key": "open-air-2027",
        "lastname": "Liddell",
        "name": "Open-air concert",
        "new_password": "correct horse battery staple",
        "password": "correct horse battery staple",
        "time_zone": "Europe/Berlin",
        "user_id": "alice",
        "venue": "Castle yard",
    }
)
_NUMBERS: Mapping[str, int] = MappingProxyType({"amount_minor": 1250, "total_seats": 50})
_TIME = "2027-06-18T19:30:00Z"


def sample(fields: Sequence[Field]) -> dict[str, Any]:
    """Makes a body of the fields that it needs."""
    return {field.name: _value(field) for field in fields if rules.is_needed(field)}


def whole_sample(message: Descriptor) -> dict[str, Any]:
    """Makes an object of all fields of a message."""
    return {field.name: _value(field) for field in contract.fields(message)}


def _value(field: Field) -> Any:
    message = field.descriptor.message_type
    if message is not None:
        return _TIME if message.full_name == values.TIMESTAMP else whole_sample(message)
    schema = rules.scalar(field.descriptor)
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "integer":
        return _NUMBERS.get(field.name, max(1, schema["minimum"]))
    return _TEXTS.get(field.name, field.name) if schema["type"] == "string" else True
