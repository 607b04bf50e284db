"""Creates and reads rooms and their seat plans, and gives rooms other seats.

A plan is stored once in its room: seats that the room had before are the plan that they were.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from psycopg.rows import class_row

from services.events.errors import RoomNotFound, SeatPlanNotFound, TheaterNotFound, VersionMismatch
from services.events.idempotency import Idempotency, Replayed
from services.kit.database import queries
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Room:
    """A room at a version. Times are aware UTC."""

    id: int
    theater_id: int
    version: int
    name: str
    plan_id: int
    capacity: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PlanContent:
    """A plan as it is stored: serialized, without its id."""

    seat_count: int
    plan: bytes

    @property
    def digest(self) -> bytes:
        """What tells equal plans of a room from others."""
        return hashlib.sha256(self.plan).digest()


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A seat plan; `plan` is serialized, without its id."""

    id: int
    room_id: int
    seat_count: int
    plan: bytes


@dataclass(frozen=True, slots=True)
class NewRoom:
    """A room to create."""

    theater_id: int
    name: str
    content: PlanContent


Replan = Callable[[bytes], PlanContent]
"""Makes the new plan of a room from the present one."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a room, if it has one of `versions`; None is any. None keeps name and plan."""

    room_id: int
    name: str | None
    replan: Replan | None
    versions: frozenset[str] | None
    key: Key | None


class Rooms:
    """Creates, reads and changes rooms, and reads seat plans."""

    def __init__(self, pool: Pool, idempotency: Idempotency) -> None:
        self._pool = pool
        self._idempotency = idempotency

    async def create(self, room: NewRoom, key: Key | None) -> Room | Replayed:
        """Creates a room with its first plan. Raises TheaterNotFound."""
        return await self._idempotency.run(key, partial(_create, room=room))

    async def get(self, room_id: int) -> Room:
        """Finds a room; raises RoomNotFound."""
        async with self._pool.connection() as connection:
            return await _read(connection, "get_room", room_id=room_id)

    async def change(self, change: Change) -> Room | Replayed:
        """Changes name and seats of a room. Raises RoomNotFound and VersionMismatch."""
        return await self._idempotency.run(change.key, partial(_change, change=change))

    async def plan(self, plan_id: int) -> StoredPlan:
        """Finds a plan, one that its room has no more too; raises SeatPlanNotFound."""
        async with self._pool.connection() as connection:
            return await _plan(connection, plan_id)


async def _create(connection: Connection, *, room: NewRoom) -> Room:
    values = {"theater_id": room.theater_id, "name": room.name, **_columns(room.content)}
    cursor = connection.cursor(row_factory=class_row(Room))
    created = await (await cursor.execute(SQL["create_room"], values)).fetchone()
    if created is None:
        raise TheaterNotFound
    return created


async def _change(connection: Connection, *, change: Change) -> Room:
    await connection.execute(SQL["lock_room"], {"room_id": change.room_id})
    room = await _read(connection, "get_room", room_id=change.room_id)
    if change.versions is not None and str(room.version) not in change.versions:
        raise VersionMismatch(version=room.version)
    plan_id = await _replan(connection, room, change.replan) if change.replan else room.plan_id
    name = room.name if change.name is None else change.name
    if (name, plan_id) == (room.name, room.plan_id):
        return room
    values = {"name": name, "plan_id": plan_id, "room_id": room.id}
    await connection.execute(SQL["change_room"], values)
    return await _read(connection, "get_room", room_id=room.id)


async def _replan(connection: Connection, room: Room, replan: Replan) -> int:
    """Stores the new plan of a room that is locked; returns its id, or that of an equal one."""
    present = await _plan(connection, room.plan_id)
    values = {"room_id": room.id, **_columns(replan(present.plan))}
    await connection.execute(SQL["add_plan"], values)
    [[plan_id]] = await (await connection.execute(SQL["get_plan_of_digest"], values)).fetchall()
    return int(plan_id)


async def _plan(connection: Connection, plan_id: int) -> StoredPlan:
    cursor = connection.cursor(row_factory=class_row(StoredPlan))
    plan = await (await cursor.execute(SQL["get_plan"], {"plan_id": plan_id})).fetchone()
    if plan is None:
        raise SeatPlanNotFound
    return plan


async def _read(connection: Connection, statement: str, **values: object) -> Room:
    """Runs a statement that returns a room; raises RoomNotFound if it returns none."""
    cursor = connection.cursor(row_factory=class_row(Room))
    room = await (await cursor.execute(SQL[statement], values)).fetchone()
    if room is None:
        raise RoomNotFound
    return room


def _columns(content: PlanContent) -> dict[str, object]:
    return {
        "seat_count": content.seat_count,
        "plan": content.plan,
        "digest": content.digest,
    }
