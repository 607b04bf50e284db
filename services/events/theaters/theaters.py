"""Creates, finds and lists theaters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from psycopg.rows import class_row, dict_row

from services.events.errors import TheaterNotFound
from services.events.events.rules import time_zones
from services.events.idempotency import Idempotency, Replayed
from services.kit.database import queries
from services.kit.database.idempotency import Key
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.paging import Page, cut

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room in the list of its theater."""

    id: int
    name: str
    plan_id: int
    capacity: int


@dataclass(frozen=True, slots=True)
class NewTheater:
    """A theater to create."""

    name: str
    location: str | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Theater:
    """A theater with its rooms. Times are aware UTC."""

    id: int
    version: int
    name: str
    location: str | None
    time_zone: str
    created_at: datetime
    updated_at: datetime
    rooms: Sequence[RoomSummary] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of theaters; `total` counts those on all pages where pages have numbers."""

    theaters: Sequence[Theater]
    next_page_token: str = ""
    total: int | None = None


class Theaters:
    """Creates, finds and lists theaters."""

    def __init__(self, pool: Pool, idempotency: Idempotency) -> None:
        self._pool = pool
        self._idempotency = idempotency

    async def create(self, theater: NewTheater, key: Key | None) -> Theater | Replayed:
        """Creates a theater without rooms. Raises ValidationFailed."""
        if theater.time_zone not in time_zones():
            wrong = "must be the name of an IANA time zone, like Europe/Berlin"
            raise ValidationFailed(violations=[Violation("theater.time_zone", wrong)])
        return await self._idempotency.run(key, partial(_create, theater=theater))

    async def get(self, theater_id: int) -> Theater:
        """Finds a theater; raises TheaterNotFound."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Theater))
            await cursor.execute(SQL["get_theater"], {"theater_id": theater_id})
            if found := await _with_rooms(connection, await cursor.fetchall()):
                return found[0]
        raise TheaterNotFound

    async def list(self, page: Page) -> Listing:
        """Lists a page of theaters, newest first."""
        async with self._pool.connection() as connection:
            rows = await _select(connection, page, limit=page.limit, offset=0)
            shown, token = cut(rows, page)
            return Listing(await _with_rooms(connection, shown), next_page_token=token)

    async def list_numbered(self, page: Page, number: int) -> Listing:
        """Lists the page of this number, from 1 on, and counts the theaters on all pages."""
        async with self._pool.connection() as connection:
            offset = (number - 1) * page.size
            rows = await _select(connection, page, limit=page.size, offset=offset)
            [total] = await (await connection.execute(SQL["count_theaters"])).fetchone() or (0,)
            return Listing(await _with_rooms(connection, rows), total=total)


async def _create(connection: Connection, *, theater: NewTheater) -> Theater:
    values = {
        "name": theater.name,
        "location": theater.location,
        "time_zone": theater.time_zone,
    }
    cursor = connection.cursor(row_factory=class_row(Theater))
    [created] = await (await cursor.execute(SQL["create_theater"], values)).fetchall()
    return created


async def _select(
    connection: Connection, page: Page, *, limit: int, offset: int
) -> Sequence[Theater]:
    values = {"before": page.before, "limit": limit, "offset": offset}
    cursor = connection.cursor(row_factory=class_row(Theater))
    return await (await cursor.execute(SQL["list_theaters"], values)).fetchall()


async def _with_rooms(connection: Connection, theaters: Sequence[Theater]) -> list[Theater]:
    """Returns theaters with their rooms, which are read at once."""
    cursor = connection.cursor(row_factory=dict_row)
    values = {"theater_ids": [theater.id for theater in theaters]}
    await cursor.execute(SQL["list_rooms"], values)
    rooms: dict[int, list[RoomSummary]] = {theater.id: [] for theater in theaters}
    for row in await cursor.fetchall():
        rooms[row.pop("theater_id")].append(RoomSummary(**row))
    return [replace(theater, rooms=rooms[theater.id]) for theater in theaters]
