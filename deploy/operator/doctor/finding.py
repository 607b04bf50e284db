"""What a check found."""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How bad it is: nothing to do, something to know, or Boxoffice cannot run like this."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found, in a line that has the remedy if there is something to do."""

    check: str
    state: State
    text: str


def ok(check: str, text: str) -> Finding:
    """Returns a finding with nothing to do."""
    return Finding(check, State.OK, text)


def warning(check: str, text: str) -> Finding:
    """Returns a finding that an operator should know."""
    return Finding(check, State.WARNING, text)


def error(check: str, text: str) -> Finding:
    """Returns a finding with which Boxoffice cannot run."""
    return Finding(check, State.ERROR, text)
