"""Pages: what happened since the page before, encoded once for all clients."""

from collections.abc import Sequence
from functools import cached_property

from gateway.live.events import Event


class Page:
    """Some events, or none: then it only shows that the stream goes on at a revision."""

    def __init__(self, events: Sequence[Event], revision: int) -> None:
        self.events = events
        self.revision = revision

    @cached_property
    def sse(self) -> bytes:
        """The events as Server-Sent Events."""
        if not self.events:
            return b"id: %d\n\n" % self.revision
        return b"".join(
            b"event: %b\nid: %d\ndata: %b\n\n" % (event.name.encode(), event.revision, event.data)
            for event in self.events
        )
