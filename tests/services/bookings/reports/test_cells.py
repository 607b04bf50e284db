import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.bookings.reports.cells import lines

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
HOSTILE = st.text(
    st.sampled_from([*SIGNS, *"'\";,|\t\r\n a1"])
    | st.characters(codec="utf-8", exclude_characters="\0")
)
CELLS = HOSTILE | st.integers() | st.none()
GUARDED = re.compile("^'(?=[\\t\\r\\n])|((?:^|[;,\"|\\t\\r\\n])\\s*)'")


def read(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """Reads CSV as a spreadsheet does, with the separator of its country."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


def unguarded(text: str) -> str:
    """Takes out each `'` that was put in, as docs/reports.md describes."""
    return GUARDED.sub(lambda found: found[1] or "", text)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=4))
@example([["a", "\t=1"]])
def test_reading_gives_back_what_was_written(rows: list[list[str | int | None]]) -> None:
    """A cell could be cut, joined with another one, or changed so that nobody can tell the text."""
    found = read(lines(rows))
    assert [[unguarded(cell) for cell in row] for row in found] == [
        ["" if cell is None else str(cell) for cell in row] for row in rows
    ]


@given(HOSTILE, st.sampled_from(",;\t|"))
@example('a;"=cmd|x', ";")
@example("a;=cmd", ";")
def test_no_spreadsheet_sees_a_formula(text: str, delimiter: str) -> None:
    """A name such as `=HYPERLINK(…)` would be run by whoever opens the file, in any country."""
    for row in read(lines([["x", text, "y"]]), delimiter):
        for cell in row:
            assert cell.lstrip().lstrip('"').lstrip()[:1] not in {*SIGNS}, cell
            assert cell[:1] not in {"\t", "\r", "\n"}, cell


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("ada", "ada"),
        ("O'Neil - Bob", "O'Neil - Bob"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("'x", "''x"),
        ("a;=1", "a;'=1"),
        (-5, "-5"),
        (None, ""),
        ('say "hi", Ada', '"say ""hi"", Ada"'),
    ],
)
def test_cells_are_written_as_plainly_as_is_safe(cell: str | int | None, written: str) -> None:
    """Usual names would be changed, or a number become a text that nobody can add up."""
    assert lines([["x", cell]]) == f"x,{written}\r\n".encode()
