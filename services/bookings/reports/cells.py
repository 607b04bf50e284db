"""CSV (RFC 4180) that no spreadsheet executes."""

import csv
import io
import re
from collections.abc import Iterable

Cell = str | int | None

# A spreadsheet takes a cell for a formula if it begins with one of these signs, even after blanks.
# Where the semicolon separates cells, as in many countries, it begins one after each semicolon,
# whatever the quotes say. So a cell may start wherever any spreadsheet could see a start. `'` is a
# sign, too, so that each `'` that was put in can be taken out again.
_SIGNS = "=+\\-@'\uff1d\uff0b\uff0d\uff20"
_RISKY = re.compile(f'^(?=[\\t\\r\\n])|(?:^|[;,"|\\t\\r\\n])\\s*(?=[{_SIGNS}])')


def lines(rows: Iterable[Iterable[Cell]]) -> bytes:
    """Writes rows. Numbers stay numbers; None is an empty cell."""
    text = io.StringIO()
    csv.writer(text).writerows(
        [guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in rows
    )
    return text.getvalue().encode()


def guarded(text: str) -> str:
    """Puts `'` before whatever a spreadsheet could take for the start of a formula."""
    return _RISKY.sub(lambda found: f"{found[0]}'", text)
