"""How single values are read: a reader per type of field, for JSON and for text in a URL.

A reader gives what the protobuf constructor takes, or raises WrongValueError with what is expected.
Nothing is coerced.
"""

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from types import MappingProxyType
from typing import Any, TypeAlias

from google.protobuf import timestamp_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from buf.validate import validate_pb2
from gateway.contract.messages import ContractError

Read: TypeAlias = Callable[[Any], Any]

INTEGERS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
        FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
        FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
        FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    }
)
INTEGER_NAMES: Mapping[int, str] = MappingProxyType(
    {
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_UINT32: "uint32",
        FieldDescriptor.TYPE_UINT64: "uint64",
    }
)
TIMESTAMP = timestamp_pb2.Timestamp.DESCRIPTOR.full_name

_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_NO_TIME = "must be a time with its offset as of RFC 3339, like 2025-10-13T12:34:56Z"
_NO_DAY = "must be on a day that the calendar has"
_NO_CLOCK = "must have a time of day from 00:00:00 to 23:59:59"
_NO_OFFSET = "must have an offset from -23:59 to +23:59"
_NO_YEAR = "must be a time in the years 1 to 9999"
_NO_DOUBLE = "must be a number from -1.7976931348623157e308 to 1.7976931348623157e308"
_NO_BASE64 = "must be bytes in Base64, with its padding"
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,19}")
_ID = re.compile(r"[1-9][0-9]{0,18}")


class WrongValueError(ValueError):
    """The value is not of the field's type; the text says what is expected."""


def json_reader(field: FieldDescriptor) -> Read:
    """Makes the reader of a JSON value for a scalar, enum or timestamp field."""
    if field.type in INTEGERS:
        return _integer(INTEGERS[field.type], bounds(field))
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
        low, high = bounds(field)
        if is_id:
            return _number(_ID, INTEGERS[field.type], (max(1, low), high))
        return _number(_DECIMAL, INTEGERS[field.type], (low, high))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _truth
    return read


def bounds(field: FieldDescriptor) -> tuple[int, int]:
    """Finds the smallest and the largest integer that the type and the rules of a field admit."""
    low, high = INTEGERS[field.type]
    rule = getattr(value_rules(field), INTEGER_NAMES[field.type])
    return rule.gte if rule.HasField("gte") else low, rule.lte if rule.HasField("lte") else high


def value_rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """Finds the rules of one value of a field: those of the items if it is repeated."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return rules.repeated.items if field.is_repeated else rules


def enum_names(enum: EnumDescriptor) -> Mapping[str, int]:
    """Maps the JSON names of an enum, which lack its prefix, to numbers; without UNSPECIFIED."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    return {value.name.removeprefix(prefix): value.number for value in enum.values if value.number}


def admitted(field: FieldDescriptor, enum: EnumDescriptor) -> Mapping[str, int]:
    """Maps the JSON names of those values of an enum to numbers that the field's rule admits."""
    names = enum_names(enum)
    numbers = frozenset(getattr(value_rules(field).enum, "in")) or frozenset(names.values())
    return {name: number for name, number in names.items() if number in numbers}


def _integer(limits: tuple[int, int], admitted: tuple[int, int]) -> Read:
    """Makes a reader of what fits the type; the rules of the field are checked with all others."""
    low, high = limits
    expected = "must be from {} to {}".format(*admitted)

    def read(value: Any) -> int:
        if type(value) is not int:
            raise WrongValueError("must be an integer")
        if not low <= value <= high:
            raise WrongValueError(expected)
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


def _double(value: Any) -> float:
    """Reads a number that a double can hold; JSON has neither infinity nor NaN."""
    if type(value) not in {int, float}:
        raise WrongValueError("must be a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise WrongValueError(_NO_DOUBLE) from error
    if not math.isfinite(number):
        raise WrongValueError(_NO_DOUBLE)
    return number


def _bytes(value: Any) -> bytes:
    """Reads Base64 in its one canonical spelling; b64decode alone takes `AB==` and `AAAA=`, too."""
    if type(value) is not str:
        raise WrongValueError(_NO_BASE64)
    try:
        found = base64.b64decode(value, validate=True)
    except ValueError as error:
        raise WrongValueError(_NO_BASE64) from error
    if base64.b64encode(found).decode() != value:
        raise WrongValueError(_NO_BASE64)
    return found


def _timestamp(value: Any) -> timestamp_pb2.Timestamp:
    form = _RFC_3339.fullmatch(value) if type(value) is str else None
    if form is None:
        raise WrongValueError(_NO_TIME)
    day, clock, fraction, offset = form.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{offset.upper()}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WrongValueError(_objection(day, clock, offset)) from error
    nanos = int((fraction or "0").ljust(9, "0"))
    return timestamp_pb2.Timestamp(seconds=int(moment.timestamp()), nanos=nanos)


def _objection(day: str, clock: str, offset: str) -> str:
    """Finds the part of a time that is none."""
    for part, read, objection in (
        (clock, time.fromisoformat, _NO_CLOCK),
        (f"00:00{offset.upper()}", time.fromisoformat, _NO_OFFSET),
        ("0001" + day[4:] if day[:4] == "0000" else day, date.fromisoformat, _NO_DAY),
    ):
        try:
            read(part)
        except ValueError:
            return objection
    return _NO_YEAR


def _number(form: re.Pattern[str], limits: tuple[int, int], admitted: tuple[int, int]) -> Read:
    low, high = limits
    expected = "must be an integer from {} to {}".format(*admitted)

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
    {
        FieldDescriptor.TYPE_STRING: _string,
        FieldDescriptor.TYPE_BOOL: _boolean,
        FieldDescriptor.TYPE_DOUBLE: _double,
        FieldDescriptor.TYPE_BYTES: _bytes,
    }
)
