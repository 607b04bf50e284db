"""What is wrong with a field, in words for people."""

import re

_PATTERN = re.compile(r"does not match regex pattern `\^(.+)\$`")
_ANY_BUT = re.compile(r"(\[\^(?:\\p\{\w+\})+\]\*)(?:\[\^(?:\\p\{\w+\})+\](\1))?")
_CATEGORIES = {"Cc": "control characters", "Cf": "invisible characters", "Zl": "line breaks"}


def readable(message: str) -> str:
    """Puts a pattern that forbids some kinds of characters in words; all else stays as it is."""
    pattern = _PATTERN.fullmatch(message)
    form = pattern and _ANY_BUT.fullmatch(pattern[1])
    if not form:
        return message
    *others, last = (words for name, words in _CATEGORIES.items() if name in form[1])
    kinds = f"{', '.join(others)} or {last}" if others else last
    return f"must not be blank or have {kinds}" if form[2] else f"must not have {kinds}"
