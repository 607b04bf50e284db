"""The figures of an event, all of one snapshot of the database."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.catalogue.plans import Plans
from services.bookings.errors import EventNotFound
from services.bookings.reports.revenue import Revenue
from services.bookings.reports.seat_types import SeatTypeSales, priced_by_type, type_numbers
from services.bookings.seating.plan import Plan
from services.bookings.seating.prices import Prices
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool, snapshot
from services.kit.rpc.callers import denied

SQL = queries.load(__file__)
AT_ONCE = 2
"""Reports that one replica reads at once, so that sales keep their connections and processors."""

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class EventFigures:
    """An event with its counters at a time."""

    event_id: int
    name: str
    organizer_id: str | None
    rev: int
    plan_id: int | None
    is_closed: bool
    capacity: int
    sold: int
    held: int
    blocked: int
    price_amount_minor: int | None
    price_currency: str | None
    seat_type_prices: Mapping[str, int]
    at: datetime

    @property
    def left(self) -> int:
        """How many seats are neither sold nor held nor blocked."""
        return self.capacity - self.sold - self.held - self.blocked

    @property
    def prices(self) -> Prices:
        """The present prices of its seats."""
        return Prices(self.price_amount_minor, self.price_currency, self.seat_type_prices)


@dataclass(frozen=True, slots=True)
class Takings:
    """The revenue of payments that a provider received on a day."""

    provider: str
    day: date
    revenue: Revenue


@dataclass(frozen=True, slots=True)
class Refunds:
    """How many refunds there are in a currency by status, each with their sum."""

    currency: str
    by_status: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an event. Bookings and tickets are counted by status."""

    event: EventFigures
    bookings: Mapping[str, int]
    tickets: Mapping[str, int]
    checked_in: int
    double_admissions: int
    takings: Sequence[Takings]
    seat_types: Sequence[SeatTypeSales]
    refunds: Sequence[Refunds]


class Reports:
    """Reads reports."""

    def __init__(self, pool: Pool, plans: Plans) -> None:
        self._pool = pool
        self._plans = plans
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def get(self, event_id: int, viewer: Viewer) -> Report:
        """Reads the report of an event.

        Raises EventNotFound, and PermissionDenied unless it is the viewer's event.
        """
        event = await self.expect_own(event_id, viewer)
        plan = None if event.plan_id is None else await self._plans.load(event.plan_id)
        async with self._turns, snapshot(self._pool) as connection:
            return await _report(connection, event_id, plan)

    async def expect_own(self, event_id: int, viewer: Viewer) -> EventFigures:
        """Reads an event of the viewer; raises EventNotFound and PermissionDenied."""
        async with self._pool.connection() as connection:
            event = await _event(connection, event_id)
        if not viewer.owns(event.organizer_id):
            raise denied(viewer.caller)
        return event


async def _report(connection: Connection, event_id: int, plan: Plan | None) -> Report:
    event = await _event(connection, event_id)
    values = {"event_id": event_id, "at": event.at}
    [(checked_in, doubles)] = await _rows(connection, "count_admissions", values)
    # An event that was never sold may have got another plan since.
    is_seated = plan is not None and plan.id == event.plan_id
    return Report(
        event,
        dict(await _rows(connection, "count_bookings", values)),
        dict(await _rows(connection, "count_tickets", values)),
        checked_in,
        doubles,
        _takings(await _rows(connection, "sum_payments", values)),
        await _seat_types(connection, event, plan) if plan and is_seated else (),
        _refunds(await _rows(connection, "sum_refunds", values)),
    )


async def _event(connection: Connection, event_id: int) -> EventFigures:
    cursor = connection.cursor(row_factory=class_row(EventFigures))
    found = await (await cursor.execute(SQL["get_event"], {"event_id": event_id})).fetchone()
    if found is None:
        raise EventNotFound
    return found


async def _seat_types(
    connection: Connection, event: EventFigures, plan: Plan
) -> Sequence[SeatTypeSales]:
    values = {"event_id": event.event_id, "type_numbers": type_numbers(plan)}
    [(sold,)] = await _rows(connection, "get_sold_seats", values)
    paid = [
        (types, Revenue(*sums)) for types, *sums in await _rows(connection, "sum_by_seats", values)
    ]
    # The map of a closed event is deleted some time after.
    seats = 0 if event.is_closed else int.from_bytes(sold, "little")
    return priced_by_type(plan, event.prices, seats, paid)


async def _rows(connection: Connection, statement: str, values: Mapping[str, object]) -> list[Row]:
    return await (await connection.execute(SQL[statement], values)).fetchall()


def _takings(rows: Sequence[Row]) -> list[Takings]:
    return [Takings(provider, day, Revenue(*sums)) for provider, day, *sums in rows]


def _refunds(rows: Sequence[Row]) -> list[Refunds]:
    return [
        Refunds(currency, {status: (count, amount) for _, status, count, amount in found})
        for currency, found in groupby(rows, itemgetter(0))
    ]
