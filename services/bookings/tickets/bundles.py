"""What scanners need to admit people without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.errors import EventNotFound
from services.kit.database import queries
from services.kit.database.postgres import Pool, snapshot
from services.kit.rpc.callers import denied

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class DoorEvent:
    """An event that people are admitted to, at revision `rev` of its inventory."""

    event_id: int
    name: str
    starts_at: datetime | None
    organizer_id: str | None
    plan_id: int | None
    rev: int


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code of a paid ticket."""

    code_id: UUID
    seat_id: int | None
    used_at: datetime | None
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class DoubleAdmission:
    """A scan that let in somebody with a code that another scan used, too."""

    code_id: UUID
    nonce: str
    scanned_at: datetime


@dataclass(frozen=True, slots=True)
class Bundle:
    """An event, its codes, and what went wrong at its doors, as of one moment."""

    event: DoorEvent
    codes: Sequence[IssuedCode]
    double_admissions: Sequence[DoubleAdmission]


class Bundles:
    """Reads bundles."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def get(self, event_id: int, viewer: Viewer) -> Bundle:
        """Reads the bundle of an event in one snapshot.

        Raises EventNotFound, and PermissionDenied unless the viewer may admit people to it.
        """
        values = {"event_id": event_id}
        async with snapshot(self._pool) as connection:
            events = connection.cursor(row_factory=class_row(DoorEvent))
            event = await (await events.execute(SQL["get_event"], values)).fetchone()
            if event is None:
                raise EventNotFound
            if not (viewer.caller.is_admin or event.organizer_id == viewer.caller.subject):
                raise denied(viewer.caller)
            codes = connection.cursor(row_factory=class_row(IssuedCode))
            await codes.execute(SQL["list_codes"], values)
            doubles = connection.cursor(row_factory=class_row(DoubleAdmission))
            await doubles.execute(SQL["list_double_admissions"], values)
            return Bundle(event, await codes.fetchall(), await doubles.fetchall())
