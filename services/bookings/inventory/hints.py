"""Remembers what was refused a moment ago, so that the lane can refuse it again without a lock."""

from collections.abc import Iterable
from typing import TypeAlias

from services.bookings.inventory.commands import Command, Deferred, Outcome, Reserve
from services.bookings.inventory.seat_commands import Hold
from services.kit.rpc.errors import Refusal

KEPT = 10_000
_LASTING = frozenset({"SOLD_OUT", "SEATS_UNAVAILABLE"})
_Wanted: TypeAlias = tuple[object, ...]


class Hints:
    """Events that seem to be sold out, and seats that seem to be taken. Never an outcome itself."""

    def __init__(self) -> None:
        self._refused: set[_Wanted] = set()

    def expect_refusal(self, command: Command) -> bool:
        """Returns whether a command for the same event or seats was refused a moment ago."""
        return _wanted(command) in self._refused

    def forget(self, commands: Iterable[Command]) -> None:
        """Forgets that commands like these were refused."""
        self._refused.difference_update(map(_wanted, commands))

    def note(self, commands: Iterable[Command], outcomes: Iterable[Outcome | Deferred]) -> None:
        """Remembers which commands were refused, and which events are not sold out any more."""
        if len(self._refused) > KEPT:
            self._refused.clear()
        for command, outcome in zip(commands, outcomes, strict=True):
            wanted = _wanted(command)
            if isinstance(outcome, Refusal) and wanted:
                if outcome.reason in _LASTING:
                    self._refused.add(wanted)
            elif not isinstance(outcome, Deferred):
                self._refused.discard((command.event_id,))


def _wanted(command: Command) -> _Wanted:
    """Returns the event and seats of a command; an empty tuple if it has no hint."""
    if isinstance(command, Reserve):
        return (command.event_id,)
    if isinstance(command, Hold):
        return (command.event_id, *command.seat_ids, command.best)
    return ()
