"""Keeping the numbers of cards out: a request that holds one is refused before anything is kept."""

import re
from collections.abc import Mapping

from services.kit.rpc.errors import ValidationFailed, Violation

_SPACES = re.compile(r"[ -]")
_NUMBER = re.compile(r"[2-6][0-9]{12,18}")
"""The first digits of the large networks; others would match ids and times that clients count."""


def expect_none(fields: Mapping[str, str]) -> None:
    """Raises ValidationFailed if a field, without spaces and hyphens, is the number of a card."""
    found = [
        Violation(name, "must not be the number of a card")
        for name, value in fields.items()
        if is_card_number(value)
    ]
    if found:
        raise ValidationFailed(violations=found)


def is_card_number(text: str) -> bool:
    """Returns whether a text has the form and the check digit of a card's number."""
    digits = _SPACES.sub("", text)
    return _NUMBER.fullmatch(digits) is not None and _luhn_sum(digits) % 10 == 0


def _luhn_sum(digits: str) -> int:
    """Adds up the digits, every second one from the right doubled (ISO/IEC 7812-1)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return sum(map(int, digits[-1::-2])) + sum(doubled)
