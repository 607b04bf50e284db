"""The changes in the feed, and reading them."""

import contextlib
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

import orjson
from psycopg import AsyncCursor
from psycopg.rows import class_row

from services.bookings.errors import ChangesGone
from services.bookings.feed.cursor import WHOLE, Cursor
from services.bookings.revisions import revisions
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.database.queries import as_json

SQL = queries.load(__file__, of_organizer="true")
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
class _Wanted:
    """What is at a position: revisions of an event, or a scan of a ticket if there are none."""

    position: int
    event_id: int
    revs: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Span:
    """Revisions of an event, or a scan of a ticket if it has none."""

    position: int
    event_id: int
    first_rev: int | None
    last_rev: int | None

    def first(self, most: int) -> _Wanted:
        """Returns its first changes: about `most`."""
        if self.first_rev is None or self.last_rev is None:
            return _Wanted(self.position, self.event_id, [])
        revs = list(revisions(self.first_rev, self.last_rev, most))
        return _Wanted(self.position, self.event_id, revs)


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
            spans = await self._list_spans(organizer_id, after, READ_AT_ONCE if kinds else limit)
            if not spans:
                return ChangePage(found, max(after, end), has_more=False)
            read = await self._read(spans, READ_AT_ONCE if kinds else limit)
            if not read:
                return ChangePage(found, after, has_more=False)
            for change in read:
                if not kinds or change.kind in kinds:
                    found.append(change)
                if len(found) == limit:
                    return ChangePage(found, change.cursor, has_more=True)
            after = read[-1].cursor
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
            ends = await (await cursor.execute(SQL["get_ends"])).fetchone()
        if ends is None:
            raise LookupError("the position of the feed is gone")
        return ends

    async def _list_spans(
        self, organizer_id: str | None, after: Cursor, limit: int
    ) -> Sequence[_Span]:
        statements = SQL if organizer_id is None else OF_ORGANIZER
        values = {
            "organizer_id": organizer_id,
            "position": after.position,
            "rev": after.rev,
            "limit": limit,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(_Span))
            return await (await cursor.execute(statements["list_spans"], values)).fetchall()

    async def _read(self, spans: Sequence[_Span], limit: int) -> Sequence[Change]:
        """Reads changes of spans, before the first scan that its node does not show yet."""
        wanted, most = [], limit
        for span in spans:
            if most <= 0:
                break
            wanted.append(span.first(most))
            most -= len(wanted[-1].revs) or 1
        scans = [each for each in wanted if not each.revs]
        async with self._reading() as connection:
            cursor = connection.cursor(row_factory=class_row(Change))
            admissions = await _list(cursor, "list_admissions", scans)
            changes = await _list(cursor, "list_changes", [each for each in wanted if each.revs])
        hidden = {scan.position for scan in scans} - {change.position for change in admissions}
        end = min(hidden, default=WHOLE)
        read = sorted([*changes, *admissions], key=attrgetter("cursor"))
        return [change for change in read if change.position < end][:limit]

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[Connection]:
        """Yields a connection for statements that look up many rows."""
        async with self._pool.connection() as connection:
            yield connection


async def _list(
    cursor: AsyncCursor[Change], statement: str, wanted: Sequence[_Wanted]
) -> Sequence[Change]:
    if not wanted:
        return []
    values = {"wanted": as_json(wanted)}
    return await (await cursor.execute(SQL[statement], values)).fetchall()
