"""A program that follows the feed."""

from collections import defaultdict
from dataclasses import dataclass, field

from services.bookings.feed.changes import Changes
from services.bookings.feed.cursor import Cursor


@dataclass
class Reader:
    """Follows the changes of an organizer, of everybody for None, in small pages."""

    organizer_id: str | None = None
    limit: int = 3
    token: str = ""
    revs: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    kinds: list[str] = field(default_factory=list)

    async def read(self, changes: Changes) -> None:
        """Reads all that there is."""
        has_more = True
        while has_more:
            page = await changes.list_changes(
                self.organizer_id, Cursor.parse(self.token), (), self.limit
            )
            for change in page.changes:
                self.revs[change.event_id].append(change.rev)
                self.kinds.append(change.kind)
            self.token, has_more = str(page.cursor), page.has_more
