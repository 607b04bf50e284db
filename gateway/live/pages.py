"""Pages: what happened since the page before, encoded once for all clients."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gateway.live.events import Event

Encoded = TypeVar("Encoded")


class Page:
    """Some events, or none: then it only shows that the stream goes on at a revision."""

    def __init__(self, events: Sequence[Event], revision: int) -> None:
        self.events = events
        self.revision = revision
        self._encoded: dict[Any, Any] = {}

    def encoded(self, encode: Callable[["Page"], Encoded]) -> Encoded:
        """Returns what a function makes of the page; calls it once."""
        if encode not in self._encoded:
            self._encoded[encode] = encode(self)
        found: Encoded = self._encoded[encode]
        return found
