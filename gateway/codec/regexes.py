"""Translates regular expressions of the contract (RE2) to what JSON Schema and Python share.

Unicode categories are spelled out, as Python's `re` knows none and ECMA-262 only some. Characters
beyond the first plane are written as themselves, since their escapes differ, too.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import chain, groupby
from operator import itemgetter

from gateway.contract.messages import ContractError

_CATEGORY = re.compile(r"\\p\{(\w+)\}")
_UNLISTED = frozenset({"C", "Cn", "Co", "Cs"})
_ASSIGNED = (range(0x30000), range(0xE0000, 0xE1000))
"""Where characters are assigned; looking through the empty planes would slow the start."""


def portable(pattern: str) -> str:
    """Translates a pattern of the contract. Raises ContractError for what has no characters."""
    return _CATEGORY.sub(lambda match: _characters(match[1]), pattern)


@cache
def _characters(category: str) -> str:
    if category in _UNLISTED:
        raise ContractError(f"the characters of the category {category} are too many to list")
    return "".join(_run(first, last) for c, first, last in _runs() if c.startswith(category))


@cache
def _runs() -> Sequence[tuple[str, int, int]]:
    """Lists each run of characters of one category, with its first and last."""
    codes = list(chain.from_iterable(_ASSIGNED))
    categories = map(unicodedata.category, map(chr, codes))
    runs = groupby(zip(categories, codes, strict=True), key=itemgetter(0))
    members = ((category, list(run)) for category, run in runs)
    return [(category, run[0][1], run[-1][1]) for category, run in members]


def _run(first: int, last: int) -> str:
    return _escaped(first) if first == last else f"{_escaped(first)}-{_escaped(last)}"


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else chr(code)
