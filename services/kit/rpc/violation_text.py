"""Describes in words what is wrong with a field; nobody is shown a regular expression."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import protovalidate

PATTERNS: Mapping[str, str] = MappingProxyType(
    {
        r"^[^\p{Cc}\p{Zl}\p{Zp}]*$": "must not have control characters or line breaks",
        r"^[^\p{Cc}\p{Zl}\p{Zp}]*[^\p{Cc}\p{Cf}\p{Z}][^\p{Cc}\p{Zl}\p{Zp}]*$": (
            "must not be blank or have control characters or line breaks"
        ),
        r"^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$": (
            "must not have control characters, invisible characters or line breaks"
        ),
        r"^[\x21-\x7e]{1,64}$": "must be 1 to 64 visible ASCII characters, without spaces",
        r"^([A-Z_]+(,[A-Z_]+)*)?$": "must be types in upper case with commas between them",
        r"^[A-Za-z][A-Za-z0-9_-]{0,31}$": (
            "must be 1 to 32 characters of A-Z, a-z, 0-9, `_` and `-`, the first one a letter"
        ),
        r"^[\x21-\x7e]{0,255}$": "must be at most 255 visible ASCII characters, without spaces",
        r"^[A-Za-z0-9._-]{1,64}$": "must be 1 to 64 characters of A-Z, a-z, 0-9, `.`, `_` and `-`",
        r"^[A-Za-z0-9_+/-]+$": "must be the name of an IANA time zone, like Europe/Berlin",
        r"^[a-z]+/[a-z]+$": "must be a media type without parameters, like text/calendar",
        r"^[A-Z]{3}$": "must be a currency of ISO 4217 in upper case, like EUR",
        r"^[0-9]{6}$": "must be 6 digits",
        r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$": "must be a day, like 2025-10-13",
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$": "must be a day, like 2025-10-13",
        r"^https?://[\x21-\x7e]+$": "must be an address that begins with http:// or https://",
        r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$": (
            "must be a UUID, like 5f3d0f5e-3c6b-4f0e-9d53-6d5d1a3e9b11"
        ),
    }
)
"""The text for every pattern of the contract."""

_RANGE = re.compile(r"must be greater than or equal to (-?\d+) and less than or equal to (-?\d+)")


def text_of(violation: protovalidate.Violation) -> str:
    """Returns the text of a violation."""
    rule, _, name = violation.proto.rule_id.rpartition(".")
    say = _RULES.get(name if rule in _NUMBERS else violation.proto.rule_id)
    message = violation.proto.message or violation.proto.rule_id
    return say(violation.rule_value) if say else _RANGE.sub(r"must be from \1 to \2", message)


def _pattern(pattern: str) -> str:
    return PATTERNS.get(pattern, "does not have the form that is asked for")


def _choice(values: Sequence[object]) -> str:
    return f"must be one of {', '.join(str(value) for value in values if value != '')}"


def _many(how: str, one: str) -> Callable[[int], str]:
    return lambda count: f"must have {how} {count} {one}{'' if count == 1 else 's'}"


def _always(text: str) -> Callable[[object], str]:
    return lambda _: text


_NUMBERS = frozenset({"int32", "int64", "uint32", "uint64"})
_RULES: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "gte": lambda least: f"must be {least} or more",
        "lte": lambda most: f"must be {most} or less",
        "string.pattern": _pattern,
        "string.in": _choice,
        "string.min_len": _many("at least", "character"),
        "string.max_len": _many("at most", "character"),
        "string.email": _always("must be an e-mail address, like alice@example.com"),
        "string.email_empty": _always("must be an e-mail address, like alice@example.com"),
        "repeated.min_items": _many("at least", "item"),
        "repeated.max_items": _many("at most", "item"),
        "repeated.unique": _always("must not have an item twice"),
        "enum.in": _choice,
        "enum.not_in": _always("must be a value of the enum, and not its UNSPECIFIED"),
        "enum.defined_only": _always("must be a value of the enum"),
    }
)
