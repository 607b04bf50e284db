"""How single values are read: a reader per type of field, for JSON and for text in a URL.

A reader gives what the protobuf constructor takes, or raises WrongValueError with what is expected.
Nothing is coerced.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf import timestamp_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from buf.validate import validate_pb2
from gateway.contract import ContractError

Read: TypeAlias = Callable[[Any], Any]

INTEGERS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
        FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    }
)
TIMESTAMP = timestamp_pb2.Timestamp.DESCRIPTOR.full_name

_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,19}")
_ID = re.compile(r"[1-9][0-9]{0,18}")


class WrongValueError(ValueError):
    """The value is not of the field's type; the text says what is expected."""


def json_reader(field: FieldDescriptor) -> Read:
    """Makes the reader of a JSON value for a scalar, enum or timestamp field."""
    if field.type in INTEGERS:
        return _integer(*INTEGERS[field.type])
    if field.enum_type is not None:
        return _enum(admitted(field, field.enum_type))
    if field.message_type is not None and field.message_type.full_name == TIMESTAMP:
        return _timestamp
    if field.type not in _PLAIN:
        raise ContractError(f"{field.full_name}: values of this type are not read")
    return _PLAIN[field.type]


def text_reader(field: FieldDescriptor, *, is_id: bool) -> Read:
    """Makes the reader of a field's text in a path (`is_id`) or a query."""
    read = json_reader(field)
    if field.type in INTEGERS:
        low, high = (1 if is_id else INTEGERS[field.type][0]), INTEGERS[field.type][1]
        return _number(_ID if is_id else _DECIMAL, low, high)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _truth
    return read


def enum_names(enum: EnumDescriptor) -> Mapping[str, int]:
    """Maps the JSON names of an enum, which lack its prefix, to numbers; without UNSPECIFIED."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


def admitted(field: FieldDescriptor, enum: EnumDescriptor) -> Mapping[str, int]:
    """Maps the JSON names of those values of an enum to numbers that the field's rule admits."""
    names = enum_names(enum)
    rules = field.GetOptions().Extensions[validate_pb2.field]
    rule = rules.repeated.items.enum if field.is_repeated else rules.enum
    numbers = frozenset(getattr(rule, "in")) or frozenset(names.values())
    return {name: number for name, number in names.items() if number in numbers}


def _integer(low: int, high: int) -> Read:
    def read(value: Any) -> int:
        if type(value) is not int:
            raise WrongValueError("must be an integer")
        if not low <= value <= high:
            raise WrongValueError(f"must be from {low} to {high}")
        return value

    return read


def _enum(names: Mapping[str, int]) -> Read:
    expected = f"must be one of {', '.join(names)}"

    def read(value: Any) -> int:
        number = names.get(value) if type(value) is str else None
        if number is None:
            raise WrongValueError(expected)
        return number

    return read


def _string(value: Any) -> str:
    if type(value) is not str:
        raise WrongValueError("must be a string")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise WrongValueError("must be Unicode text without lone surrogates") from error
    return value


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise WrongValueError("must be true or false")
    return value


def _timestamp(value: Any) -> timestamp_pb2.Timestamp:
    form = _RFC_3339.fullmatch(value) if type(value) is str else None
    if form is None:
        raise WrongValueError("must be a time as of RFC 3339, with its offset")
    date, clock, fraction, offset = form.groups()
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{offset.upper()}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongValueError("must be a time in the years 1 to 9999") from error
    nanos = int((fraction or "0").ljust(9, "0"))
    return timestamp_pb2.Timestamp(seconds=int(moment.timestamp()), nanos=nanos)


def _number(form: re.Pattern[str], low: int, high: int) -> Read:
    expected = f"must be an integer from {low} to {high}"

    def read(text: str) -> int:
        if not form.fullmatch(text) or not low <= int(text) <= high:
            raise WrongValueError(expected)
        return int(text)

    return read


def _truth(text: str) -> bool:
    if text not in {"true", "false"}:
        raise WrongValueError("must be true or false")
    return text == "true"


_PLAIN: Mapping[int, Read] = MappingProxyType(
    {FieldDescriptor.TYPE_STRING: _string, FieldDescriptor.TYPE_BOOL: _boolean}
)
