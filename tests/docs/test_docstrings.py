"""Docstrings begin with a verb that says what the code does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CHECKED = ("gateway", "services", "deploy", "protos", "tests")
VAGUE = re.compile(r"(Tells|Gives|Says)\b|Makes what\b")
"""Openings that hide what is returned: "Tells whether", "Gives the address", "Makes what reads"."""


@pytest.mark.parametrize("folder", CHECKED)
def test_docstrings_open_with_a_standard_verb(folder: str) -> None:
    """Readers would have to guess whether a function returns, writes or sends something."""
    found = [
        f"{path.relative_to(PROJECT)}: {text.splitlines()[0]}"
        for path in (PROJECT / folder).rglob("*.py")
        if not path.name.endswith(("_pb2.py", "_pb2_grpc.py"))
        for text in docstrings(path)
        if VAGUE.match(text)
    ]
    assert found == []


def docstrings(path: Path) -> Iterator[str]:
    """Yields the docstrings of a module, and the strings below its constants and fields."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Expr(ast.Constant(str(text))):
                yield text
