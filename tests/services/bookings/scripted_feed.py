"""A scripted feed of the catalogue, which can refuse and forget."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from services.bookings.catalogue.following import FeedPage, Listing
from services.bookings.errors import HistoryGone
from services.bookings.inventory import EventState, FeedPosition
from services.kit.rpc.errors import Refusal


@dataclass
class ScriptedFeed:
    """Lists changes as events does, or refuses with `trouble`.

    Changes before `oldest` are deleted. `listed` counts the pages of states.
    """

    epoch: str = "first"
    changes: list[EventState] = field(default_factory=list)
    oldest: int = 1
    trouble: Refusal | None = None
    trouble_with_states: Refusal | None = None
    listed: int = 0

    def publish(self, state: EventState) -> EventState:
        """Adds a change; returns its state."""
        published = replace(state, epoch=self.epoch)
        self.changes.append(published)
        return published

    def restore(self, epoch: str, *states: EventState) -> None:
        """Begins another epoch that has only the given states."""
        self.epoch = epoch
        self.changes = [replace(state, epoch=epoch) for state in states]

    async def list_changes(self, position: FeedPosition, limit: int) -> FeedPage:
        """See Feed."""
        if self.trouble:
            raise self.trouble
        head = len(self.changes)
        if (
            position.epoch not in ("", self.epoch)
            or not self.oldest - 1 <= position.sequence <= head
        ):
            raise HistoryGone
        states = [self._now(one) for one in self.changes[position.sequence :][:limit]]
        last = position.sequence + len(states)
        oldest_at = datetime.now(UTC) if states else None
        return FeedPage(states, FeedPosition(self.epoch, last), oldest_at, is_last=last == head)

    async def list_states(self, after_event_id: int, limit: int) -> Listing:
        """See Feed."""
        if self.trouble_with_states:
            raise self.trouble_with_states
        self.listed += 1
        newest = {state.event_id: state for state in self.changes}
        states = [newest[event_id] for event_id in sorted(newest) if event_id > after_event_id]
        return Listing(states[:limit], FeedPosition(self.epoch, len(self.changes)))

    def _now(self, change: EventState) -> EventState:
        return next(s for s in reversed(self.changes) if s.event_id == change.event_id)
