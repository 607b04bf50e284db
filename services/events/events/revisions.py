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

from services.kit.database import queries
from services.kit.database.postgres import Connection

Fields = Mapping[str, Any]
"""Columns of `events` that a client sets, and their values; None clears."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event at a revision, counted in an epoch. Times are aware UTC; the price is per seat."""

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
    organizer_id: str | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
    epoch: str


_NAMES = [column.name for column in dataclasses.fields(Event)]
_GENERATED = {"id", "revision", "created_at", "updated_at", "epoch"}
_EPOCH = "(SELECT epoch FROM head) AS epoch"
COLUMNS = ", ".join(_EPOCH if name == "epoch" else name for name in _NAMES)
"""The columns that a statement selects for an Event, from `events` or from rows of its type."""
SETTABLE = ", ".join(name for name in _NAMES if name not in _GENERATED)
"""Columns that creating and changing an event set."""
SQL = queries.load(__file__, columns=COLUMNS, settable=SETTABLE)


async def create(connection: Connection, fields: Fields, organizer_id: str | None) -> Event | None:
    """Writes the first revision of a new event; None when its key is taken."""
    values = {"fields": as_json({**fields, "organizer_id": organizer_id})}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["create_event"], values)).fetchone()
    if event is not None:
        await _publish(connection, event.id)
    return event


async def change(connection: Connection, event_id: int, revision: int, changes: Fields) -> Event:
    """Writes a new revision in which only `changes` differ. The caller holds the event's lock."""
    values = {"event_id": event_id, "revision": revision, "changes": as_json(changes)}
    cursor = connection.cursor(row_factory=class_row(Event))
    event = await (await cursor.execute(SQL["change_event"], values)).fetchone()
    if event is None:
        raise LookupError(f"event {event_id} is past revision {revision}")
    await _publish(connection, event_id)
    return event


async def burn(connection: Connection, event_id: int, revision: int) -> None:
    """Uses up the revision of a refused change, and publishes the event unchanged under the next.

    So no late copy of the change is ever applied, and bookings gets what it may have missed.
    """
    await connection.execute(SQL["burn_revision"], {"event_id": event_id, "revision": revision})
    await _publish(connection, event_id)


async def _publish(connection: Connection, event_id: int) -> None:
    """Appends the change to the feed, in its transaction."""
    await connection.execute(SQL["publish"], {"event_id": event_id})


def as_json(fields: Fields) -> Jsonb:
    """Encodes fields for jsonb_populate_record."""
    return Jsonb(fields, dumps=orjson.dumps)
