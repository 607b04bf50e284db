"""What is measured: a case, and how it is driven as fast as the answers come."""

from collections.abc import Callable
from typing import Any, Protocol

from tests.bench import closed_loop
from tests.bench.system import System
from tests.bench.wrk import CONNECTIONS, Load, drive, has_wrk


class Case(Protocol):
    """A case to measure; `goal` is per second, and `note` is printed with the figures."""

    system: System
    name: str
    goal: int
    note: str

    def prepare(self) -> None:
        """Prepares a round."""

    def drive(self, seconds: float) -> Load:
        """Runs the load for a time."""

    def counted(self, load: Load) -> int:
        """Returns the number of responses that count."""


def driven(
    system: System,
    write: Callable[[int], bytes],
    seconds: float,
    *,
    path: str = "",
    connections: int = CONNECTIONS,
    **wrk: Any,
) -> Load:
    """Runs the load with wrk, or without wrk with the same requests from Python."""
    if has_wrk():
        return drive(system.url + path, seconds=seconds, connections=connections, **wrk)
    return closed_loop.drive(system.port, write, seconds=seconds, connections=connections)
