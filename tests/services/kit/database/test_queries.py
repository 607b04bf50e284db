from pathlib import Path

import pytest

from services.kit.database import queries

TEXT = """
A line before the first name belongs to nobody.

-- name: get_one
-- Gets one.
SELECT 1

-- name: get_two
SELECT 2
-- name is a word like any other here
"""


def load(tmp_path: Path, text: str) -> dict[str, bytes]:
    """Loads statements as `noun.py` would."""
    (tmp_path / "noun.sql").write_text(text, encoding="utf-8")
    return dict(queries.load(str(tmp_path / "noun.py")))


def test_statements_are_found_by_name(tmp_path: Path) -> None:
    """A statement could contain the next one, or the comment of it."""
    assert load(tmp_path, TEXT) == {
        "get_one": b"-- Gets one.\nSELECT 1",
        "get_two": b"SELECT 2\n-- name is a word like any other here",
    }


def test_a_fragment_replaces_its_name(tmp_path: Path) -> None:
    """A fragment could be left out, or an empty array '{}' be taken for one."""
    (tmp_path / "noun.sql").write_text("-- name: a\nSELECT {columns}, '{}'", encoding="utf-8")
    loaded = queries.load(str(tmp_path / "noun.py"), columns="id, name")
    assert loaded["a"] == b"SELECT id, name, '{}'"


def test_a_name_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    """One of two statements with the same name could be run in place of the other."""
    with pytest.raises(ValueError, match=r"noun\.sql"):
        load(tmp_path, "-- name: a\nSELECT 1\n-- name: a\nSELECT 2\n")


def test_statements_cannot_be_changed(tmp_path: Path) -> None:
    """A module could change the statements of another one."""
    (tmp_path / "noun.sql").write_text(TEXT, encoding="utf-8")
    with pytest.raises(TypeError):
        queries.load(str(tmp_path / "noun.py"))["get_one"] = b""  # type: ignore[index]
