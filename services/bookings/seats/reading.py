"""Reads screenings and which of their seats are taken."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeAlias

from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound, ScreeningNotFound
from services.bookings.seating.plan import map_of
from services.bookings.seating.prices import Prices
from services.bookings.seats.screening import Occupancy, Screening, Version
from services.kit.database import queries
from services.kit.database.postgres import Pool

SQL = queries.load(__file__)
BLOCK_SEATS = 1_024

Row: TypeAlias = tuple[Any, ...]


class Screenings:
    """Reads screenings; reads unknown events from the catalogue first."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    async def find(self, event_id: int, viewer: Viewer) -> Screening:
        """Reads a screening.

        Raises ScreeningNotFound for an event without seats, or one that the viewer may not see, and
        Unavailable.
        """
        found = await self._find(event_id)
        if found is None:
            await self._learn(event_id)
            found = await self._find(event_id)
        screening = _screening(found)
        if screening.is_deleted:
            raise ScreeningNotFound
        if screening.is_draft and not viewer.owns(screening.organizer_id):
            raise ScreeningNotFound
        return screening

    async def occupancy(self, event_id: int) -> Occupancy:
        """Reads which seats of a screening are taken. Raises ScreeningNotFound."""
        values = {"event_id": event_id}
        async with self._pool.connection() as connection:
            async with connection.pipeline():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found = await connection.execute(SQL["find_screening"], values)
                blocks = await connection.execute(SQL["list_blocks"], values, binary=True)
                ended = await connection.execute(SQL["list_ended_seats"], values)
                await connection.execute("COMMIT")
            screening = _screening(await found.fetchone())
            ended_seats = [seat_id for (seat_id,) in await ended.fetchall()]
            return _occupancy(screening, await blocks.fetchall(), ended_seats)

    async def _find(self, event_id: int) -> Row | None:
        async with self._pool.connection() as connection:
            found = await connection.execute(SQL["find_screening"], {"event_id": event_id})
            return await found.fetchone()

    async def _learn(self, event_id: int) -> None:
        refusal = (await self._catalogue.learn([event_id])).get(event_id)
        if isinstance(refusal, EventNotFound):
            raise ScreeningNotFound
        if refusal is not None:
            raise refusal


def _screening(row: Row | None) -> Screening:
    if row is None:
        raise ScreeningNotFound
    event_id, plan_id, rev, catalogue_rev, ended_seats, price, currency, prices, *others = row
    if plan_id is None:
        raise ScreeningNotFound
    version = Version(rev, catalogue_rev, ended_seats)
    return Screening(event_id, plan_id, version, Prices(price, currency, prices), *others)


def _occupancy(screening: Screening, blocks: Iterable[Row], ended_seats: list[int]) -> Occupancy:
    """Joins the maps of blocks. All seats of a cancelled event are free."""
    rev, catalogue_rev, _ = screening.version
    screening = replace(screening, version=Version(rev, catalogue_rev, len(ended_seats)))
    if screening.is_closed:
        return Occupancy(screening)
    taken, sold, blocked = 0, 0, 0
    for block, *maps in blocks:
        shift = block * BLOCK_SEATS
        in_block = [int.from_bytes(each, "little") << shift for each in maps]
        taken, sold, blocked = taken | in_block[0], sold | in_block[1], blocked | in_block[2]
    held = taken & ~sold & ~blocked & ~map_of(ended_seats)
    return Occupancy(screening, held, sold, blocked)
