"""Named SQL statements, kept in a .sql file beside the module that runs them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import orjson

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


def load(module: str, **fragments: str) -> Mapping[str, bytes]:
    """Reads the statements of the module whose `__file__` is given: `reservations.py` has `.sql`.

    A statement starts at its `-- name: …` line and ends at the next one. A fragment of SQL replaces
    its name in braces. Raises ValueError for a name given twice.
    """
    path = Path(module).with_suffix(".sql")
    text = path.read_text(encoding="utf-8")
    for name, fragment in fragments.items():
        text = text.replace(f"{{{name}}}", fragment)
    _, *parts = _NAME.split(text)
    names = parts[::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{path.name} gives a name twice")
    statements = (text.strip().encode() for text in parts[1::2])
    return MappingProxyType(dict(zip(names, statements, strict=True)))


def as_json(rows: Sequence[object]) -> str:
    """Writes rows for `json_to_recordset`; psycopg writes arrays ten times slower."""
    return orjson.dumps(rows).decode()
