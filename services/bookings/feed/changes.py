"""The changes in the feed, and reading them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from psycopg.rows import class_row

from services.bookings.errors import ChangesGone
from services.bookings.feed.cursor import Cursor
from services.kit.database import queries
from services.kit.database.postgres import Pool

OF_ALL = queries.load(__file__, of_organizer="true")
OF_ORGANIZER = queries.load(__file__, of_organizer="organizer_id = %(organizer_id)s")
READ_AT_ONCE = 500
MOST_READS = 20


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an event's inventory, as its ledger has it, or an admission with a ticket.

    `seats` were taken, or freed if negative. An admission was decided at revision `rev`.
    """

    position: int
    event_id: int
    rev: int
    kind: str
    at: datetime
    booking_id: int | None
    reference: UUID | None
    user_id: str | None
    seats: int
    seat_ids: Sequence[int]
    capacity: int | None
    ticket_id: UUID | None

    @property
    def id(self) -> str:
        """Id of the change, which no other has."""
        if self.ticket_id is None:
            return f"{self.event_id}-{self.rev}"
        return f"{self.event_id}-scan-{self.position}"

    @property
    def cursor(self) -> Cursor:
        """The place after this change."""
        return Cursor(self.position, self.rev)

    @property
    def entry(self) -> dict[str, object]:
        """The change as clients see it, in JSON; feed.proto describes it."""
        return {
            "id": self.id,
            "type": self.kind,
            "event_id": self.event_id,
            "revision": self.rev,
            "at": f"{self.at:%Y-%m-%dT%H:%M:%S}.{self.at.microsecond // 1000:03d}Z",
            "booking_id": self.booking_id,
            "reference": self.reference,
            "user_id": self.user_id,
            "seats": self.seats,
            "seat_ids": self.seat_ids,
            "capacity": self.capacity,
            "ticket_id": self.ticket_id,
        }


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in their order, the cursor after them, and whether there were more."""

    changes: Sequence[Change]
    cursor: Cursor
    has_more: bool

    def json(self) -> bytes:
        """Prints the page as the message of the same name."""
        return orjson.dumps(
            {
                "changes": [change.entry for change in self.changes],
                "next_cursor": str(self.cursor),
                "has_more": self.has_more,
            }
        )


@dataclass(frozen=True, slots=True)
class _Ends:
    position: int
    forgotten: int


class Changes:
    """Reads the feed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list_changes(
        self, organizer_id: str | None, after: Cursor, kinds: Collection[str], limit: int
    ) -> ChangePage:
        """Lists at most `limit` changes of the events of an organizer, of all events for None.

        Without `kinds` it lists changes of all kinds. A page may be empty though there are more: it
        ends after MOST_READS reads. Raises ChangesGone for a cursor whose next changes may have
        been forgotten.
        """
        found: list[Change] = []
        for _ in range(MOST_READS):
            # The end is read first: what is committed meanwhile comes after this cursor.
            end = await self._end(after)
            read = await self._read(organizer_id, after, READ_AT_ONCE if kinds else limit)
            for change in read:
                if not kinds or change.kind in kinds:
                    found.append(change)
                if len(found) == limit:
                    return ChangePage(found, change.cursor, has_more=True)
            after = read[-1].cursor if read else max(after, end)
            if not read:
                return ChangePage(found, after, has_more=False)
        return ChangePage(found, after, has_more=True)

    async def expect_kept(self, after: Cursor) -> None:
        """Raises ChangesGone for a cursor whose next changes may have been forgotten."""
        await self._end(after)

    async def first_cursor(self) -> Cursor:
        """Returns the cursor before the first change that is kept."""
        return Cursor((await self._ends()).forgotten)

    async def _end(self, after: Cursor) -> Cursor:
        """Returns the last cursor; raises ChangesGone for a cursor outside of the feed."""
        ends = await self._ends()
        is_beginning = after == Cursor(0)
        if after > Cursor(ends.position) or (after < Cursor(ends.forgotten) and not is_beginning):
            raise ChangesGone
        return Cursor(ends.position)

    async def _ends(self) -> _Ends:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(_Ends))
            ends = await (await cursor.execute(OF_ALL["get_ends"])).fetchone()
        if ends is None:
            raise LookupError("the position of the feed is gone")
        return ends

    async def _read(self, organizer_id: str | None, after: Cursor, limit: int) -> Sequence[Change]:
        statements = OF_ALL if organizer_id is None else OF_ORGANIZER
        values = {
            "organizer_id": organizer_id,
            "position": after.position,
            "rev": after.rev,
            "limit": limit,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Change))
            return await (await cursor.execute(statements["list_changes"], values)).fetchall()
