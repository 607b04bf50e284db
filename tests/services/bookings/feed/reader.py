"""A program that follows the feed."""

from collections import defaultdict
from dataclasses import dataclass, field

from services.bookings.feed.changes import Change, Changes
from services.bookings.feed.cursor import Cursor


@dataclass
class Reader:
    """Follows the changes of an organizer, of everybody for None, in small pages."""

    organizer_id: str | None = None
    limit: int = 3
    token: str = ""
    revs: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    changes: list[Change] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """The kinds of what was read."""
        return [change.kind for change in self.changes]

    async def read(self, changes: Changes) -> None:
        """Reads all that there is."""
        has_more = True
        while has_more:
            page = await changes.list_changes(
                self.organizer_id, Cursor.parse(self.token), (), self.limit
            )
            for change in page.changes:
                self.changes.append(change)
                if change.ticket_id is None:
                    self.revs[change.event_id].append(change.rev)
            self.token, has_more = str(page.cursor), page.has_more
