"""Reads the file .env into the environment; refuses a file with a line that it cannot parse."""

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path

import dotenv
from dotenv.parser import Binding, parse_stream

from deploy.local.foreign_settings import equivalent_of
from services.kit.process.environment import SettingsError, unknown_name

ENCODING = "utf-8-sig"
TYPO_SIMILARITY = 0.85
"""Similarity to a known name, from 0 to 1, from which on an unknown name counts as a typo."""


def load(path: Path, known: Collection[str]) -> None:
    """Adds the file to the environment, which wins; does nothing where there is no file.

    Raises SettingsError for lines that assign nothing, for misspelt names of ours, and for a file
    that cannot be read. No message shows a value.
    """
    lines = _lines(path)
    if found := [problem for line in lines if (problem := _problem(path.name, line, known))]:
        raise SettingsError("\n".join(found))
    if lines:
        dotenv.load_dotenv(path, encoding=ENCODING)


def names(path: Path) -> frozenset[str]:
    """Returns the names that the file assigns. Raises SettingsError."""
    return frozenset(line.key for line in _lines(path) if line.key)


def _lines(path: Path) -> Sequence[Binding]:
    if not path.exists():
        return ()
    try:
        with path.open(encoding=ENCODING) as file:
            return list(parse_stream(file))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error


def _problem(file: str, line: Binding, known: Collection[str]) -> str | None:
    number = line.original.line
    if line.error or (line.key is not None and line.value is None):
        return f"{file}, line {number}, must be NAME=value"
    name = line.key
    if name is None or name.upper() in known or equivalent_of(name):
        return None
    if difflib.get_close_matches(name.upper(), known, n=1, cutoff=TYPO_SIMILARITY):
        return f"{file}, line {number}: {unknown_name(name, known)}"
    return None
