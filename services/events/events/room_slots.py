"""Keeps rooms for events, so that no two events have a room at the same time.

A transaction locks its key, then its event, its movie, its rooms in the order of their ids, and the
head of the feed last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import psycopg
from psycopg.rows import class_row

from services.events.errors import MovieNotFound, RoomNotFound, RoomOccupied
from services.kit.database import queries
from services.kit.database.postgres import Connection

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Room:
    """A room, with its seat plan of today and the number of seats in that."""

    id: int
    plan_id: int
    seat_count: int


@dataclass(frozen=True, slots=True)
class Movie:
    """A movie to show."""

    title: str
    duration_minutes: int
    is_deleted: bool


class Placed(Protocol):
    """An event in a room, or in none."""

    @property
    def id(self) -> int:
        """Number of the event."""

    @property
    def room_id(self) -> int | None:
        """The room."""

    @property
    def starts_at(self) -> datetime | None:
        """From when on it has the room."""

    @property
    def ends_at(self) -> datetime | None:
        """When the room is free again."""

    @property
    def is_closed(self) -> bool:
        """Whether it has ended for good, so that it needs no room."""


async def lock_rooms(connection: Connection, room_ids: Iterable[int]) -> Mapping[int, Room]:
    """Locks rooms until the transaction ends; raises RoomNotFound."""
    wanted = set(room_ids)
    cursor = connection.cursor(row_factory=class_row(Room))
    await connection.execute(SQL["lock_rooms"], {"room_ids": list(wanted)})
    await cursor.execute(SQL["get_rooms"], {"room_ids": list(wanted)})
    rooms = {room.id: room for room in await cursor.fetchall()}
    if rooms.keys() != wanted:
        raise RoomNotFound
    return rooms


async def lock_movie(connection: Connection, movie_id: int) -> Movie:
    """Finds a movie, and keeps it as it is until the transaction ends; raises MovieNotFound."""
    cursor = connection.cursor(row_factory=class_row(Movie))
    movie = await (await cursor.execute(SQL["lock_movie"], {"movie_id": movie_id})).fetchone()
    if movie is None:
        raise MovieNotFound
    return movie


async def hold(connection: Connection, target: Placed) -> None:
    """Takes the room of a change that bookings has yet to decide; raises RoomOccupied.

    The event keeps what it has until `settle`. The caller has locked the room.
    """
    await _write(connection, "hold_slot", target, target.room_id)


async def settle(connection: Connection, event: Placed) -> None:
    """Leaves the event its room for its time, and nothing if it is closed.

    Raises RoomOccupied. The caller has locked the room, unless the event held it for that time.
    """
    await _write(connection, "settle_slots", event, None if event.is_closed else event.room_id)


async def _write(
    connection: Connection, statement: str, event: Placed, room_id: int | None
) -> None:
    values = {
        "event_id": event.id,
        "room_id": room_id,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
    }
    try:
        await connection.execute(SQL[statement], values)
    except psycopg.errors.ExclusionViolation as error:
        if error.diag.constraint_name != "room_slots_no_overlap":
            raise
        raise RoomOccupied from error
