"""Writes all states of events, each under a revision of its own, and publishes them in the feed.

Nothing else writes the table. The fields of `Event` are the one list of its columns.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.events.events import room_slots
from services.kit.database import queries
from services.kit.database.postgres import Connection

Fields = Mapping[str, Any]
"""Columns of `events` that a client sets, and their values; None clears."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event at a revision, counted in an epoch. Times are aware UTC; prices are for a seat.

    An event with a movie is a screening. `theater_id` is that of its room. `seat_type_prices` have
    `amount_minor` and `currency`.
    """

    id: int
    revision: int
    key: str | None
    name: str
    description: str | None
    total_seats: int
    status: str
    starts_at: datetime | None
    venue: str | None
    time_zone: str | None
    sales_open_at: datetime | None
    sales_close_at: datetime | None
    price_amount_minor: int | None
    price_currency: str | None
    one_booking_per_user: bool | None
    movie_id: int | None
    room_id: int | None
    theater_id: int | None
    plan_id: int | None
    ends_at: datetime | None
    seat_type_prices: Mapping[str, Mapping[str, Any]] | None
    orphan_rule: bool | None
    refund_until: datetime | None
    organizer_id: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    epoch: str

    @property
    def is_closed(self) -> bool:
        """Whether it has ended for good, and its bookings with it."""
        return self.deleted_at is not None or self.status == "CANCELLED"


_NAMES = [column.name for column in dataclasses.fields(Event)]
_READ_ELSEWHERE = {
    "epoch": "(SELECT epoch FROM head) AS epoch",
    "theater_id": "(SELECT theater_id FROM rooms WHERE rooms.id = room_id) AS theater_id",
}
_GENERATED = {"id", "revision", "created_at", "updated_at", *_READ_ELSEWHERE}
COLUMNS = ", ".join(_READ_ELSEWHERE.get(name, name) for name in _NAMES)
"""What a statement selects for an Event, from `events` or from rows of that type."""
SETTABLE = ", ".join(name for name in _NAMES if name not in _GENERATED)
"""Columns that creating and changing an event set."""
SQL = queries.load(__file__, columns=COLUMNS, settable=SETTABLE)
_PLACING = frozenset({"room_id", "starts_at", "ends_at", "status", "deleted_at"})


async def create(connection: Connection, fields: Fields, organizer_id: str | None) -> Event | None:
    """Writes the first revision of a new event; None when its key is taken.

    Raises RoomOccupied. The caller has locked the room, if it has one.
    """
    values = {"fields": as_json({**fields, "organizer_id": organizer_id})}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["create_event"], values)).fetchone()
    if event is not None:
        await _settle(connection, event, fields)
        await _publish(connection, event.id)
    return event


async def change(connection: Connection, event_id: int, revision: int, changes: Fields) -> Event:
    """Writes a new revision in which only `changes` differ; raises RoomOccupied.

    The caller holds the lock of the event, and of its room unless that was held for it before.
    """
    values = {"event_id": event_id, "revision": revision, "changes": as_json(changes)}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["change_event"], values)).fetchone()
    if event is None:
        raise LookupError(f"event {event_id} is past revision {revision}")
    await _settle(connection, event, changes)
    await _publish(connection, event_id)
    return event


async def burn(connection: Connection, event_id: int, revision: int, changes: Fields) -> None:
    """Uses up the revision of refused changes, and publishes the event unchanged under the next.

    So no late copy of the changes is ever applied, and bookings gets what it may have missed.
    """
    values = {"event_id": event_id, "revision": revision}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["burn_revision"], values)).fetchone()
    if event is not None:
        await _settle(connection, event, changes)
    await _publish(connection, event_id)


async def _settle(connection: Connection, event: Event, changes: Fields) -> None:
    """Takes the event's room for its time, and frees any other, if that may have changed."""
    has_room = event.room_id is not None or "room_id" in changes
    if has_room and not _PLACING.isdisjoint(changes):
        await room_slots.settle(connection, event)


async def _publish(connection: Connection, event_id: int) -> None:
    """Appends the change to the feed, in its transaction."""
    await connection.execute(SQL["publish"], {"event_id": event_id})


def as_json(fields: Fields) -> Jsonb:
    """Encodes fields for jsonb_populate_record."""
    return Jsonb(fields, dumps=orjson.dumps)
