"""Reads screenings and which of their seats are taken."""

from collections.abc import Collection, Iterable
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
from services.kit.rpc.errors import Refusal

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
        return visible((await self.find_all([event_id]))[event_id], viewer)

    async def find_all(self, event_ids: Collection[int]) -> dict[int, Screening | Refusal]:
        """Reads screenings for `visible`; returns refusals in place of raising."""
        rows, refusals = await self._find(event_ids), dict[int, Refusal]()
        if unknown := [event_id for event_id in event_ids if event_id not in rows]:
            refusals = await self._catalogue.learn(unknown)
            rows |= await self._find([number for number in unknown if number not in refusals])
        return {number: _found(rows.get(number), refusals.get(number)) for number in event_ids}

    async def occupancy(self, event_id: int) -> Occupancy:
        """Reads which seats of a screening are taken. Raises ScreeningNotFound."""
        values = {"event_id": event_id, "event_ids": [event_id]}
        async with self._pool.connection() as connection:
            async with connection.pipeline():
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                found = await connection.execute(SQL["find_screenings"], values)
                blocks = await connection.execute(SQL["list_blocks"], values, binary=True)
                ended = await connection.execute(SQL["list_ended_seats"], values)
                await connection.execute("COMMIT")
            screening = _screening(await found.fetchone())
            ended_seats = [seat_id for (seat_id,) in await ended.fetchall()]
            return _occupancy(screening, await blocks.fetchall(), ended_seats)

    async def _find(self, event_ids: Collection[int]) -> dict[int, Row]:
        """Reads the events that are known here."""
        if not event_ids:
            return {}
        values = {"event_ids": list(event_ids)}
        async with self._pool.connection() as connection:
            rows = await connection.execute(SQL["find_screenings"], values)
            return {row[0]: row for row in await rows.fetchall()}


def visible(found: Screening | Refusal, viewer: Viewer) -> Screening:
    """Returns a screening of `find_all`. Raises its refusal, or ScreeningNotFound if hidden."""
    if isinstance(found, Refusal):
        raise found
    if found.is_deleted or (found.is_draft and not viewer.owns(found.organizer_id)):
        raise ScreeningNotFound
    return found


def _found(row: Row | None, refusal: Refusal | None) -> Screening | Refusal:
    if refusal is not None and not isinstance(refusal, EventNotFound):
        return refusal
    try:
        return _screening(row)
    except ScreeningNotFound as absent:
        return absent


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
