"""Check-in: admitting somebody with a code, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.errors import (
    AlreadyUsed,
    AwaitingPayment,
    DoorsClosed,
    InvalidTicketCode,
    NotYetValid,
    TicketRevoked,
    WrongEvent,
)
from services.bookings.tickets.codes import Code, verify
from services.bookings.tickets.details import DoorTimes
from services.bookings.tickets.keys import TicketKeys
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import Refusal, ValidationFailed, Violation

SQL = queries.load(__file__)
CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scan:
    """A code that was scanned. `at` is when, if that was without a network."""

    text: str
    nonce: str
    at: datetime | None = None
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who was admitted. `is_double` is whether a later scan let in somebody, too."""

    ticket_id: UUID
    user_id: str
    plan_id: int | None
    seat_id: int | None
    at: datetime
    is_double: bool = False


@dataclass(frozen=True, slots=True)
class Scanned:
    """A code and its ticket under the code's lock, and the scan if it was received before.

    `rev` is the revision of the inventory at which all this was true.
    """

    ticket_id: UUID
    user_id: str
    plan_id: int | None
    seat_id: int | None
    starts_at: datetime | None
    is_paid: bool
    revoked_at: datetime | None
    rev: int
    place: int
    used_at: datetime | None
    used_nonce: str | None
    scanned_at: datetime | None
    was_first: bool | None
    now: datetime

    def admitted(self, at: datetime, *, is_double: bool = False) -> Admitted:
        """Returns the admission of a scan."""
        return Admitted(self.ticket_id, self.user_id, self.plan_id, self.seat_id, at, is_double)


class CheckIn:
    """Admits people by codes. The row of a ticket is the lock of its scans."""

    def __init__(self, pool: Pool, keys: TicketKeys, door: DoorTimes) -> None:
        self._pool = pool
        self._keys = keys
        self._door = door

    async def admit(self, scan: Scan, viewer: Viewer) -> Admitted:
        """Admits somebody; raises the refusals of the contract.

        A double admission is kept although it is refused.
        """
        keys = {key.id: key.public_key for key in await self._keys.list()}
        code = verify(scan.text, keys)
        if scan.event_id not in {None, code.event_id}:
            raise WrongEvent
        values = {"event_id": code.event_id, "code_id": code.code_id, "nonce": scan.nonce}
        async with self._pool.connection() as connection:
            await _expect_own(connection, code, viewer)
            async with connection.transaction():
                await connection.execute(SQL["lock_code"], values)
                decided = await self._decide(connection, scan, values)
        if isinstance(decided, Refusal):
            raise decided
        return decided

    async def _decide(
        self, connection: Connection, scan: Scan, values: Mapping[str, object]
    ) -> Admitted | Refusal:
        cursor = connection.cursor(row_factory=class_row(Scanned))
        found = await (await cursor.execute(SQL["get_scanned"], values)).fetchone()
        if found is None:
            return InvalidTicketCode()
        if found.scanned_at is not None:
            return _answer_again(found, found.scanned_at)
        at = _time_of(scan, found.now)
        if objection := self._objection(found, at):
            return objection
        was_first = found.used_at is None or (scan.at is not None and at < found.used_at)
        if not (was_first or scan.at):
            return AlreadyUsed(used_at=found.used_at)
        scanned = {**values, "scanned_at": at, "was_first": was_first, "rev": found.rev}
        await connection.execute(SQL["add_scan"], scanned)
        if not was_first:
            return AlreadyUsed(used_at=found.used_at, is_double=True)
        seat = {"ticket_id": found.ticket_id, "place": found.place}
        await connection.execute(SQL["use_code"], scanned | seat)
        return found.admitted(at, is_double=found.used_at is not None)

    def _objection(self, found: Scanned, at: datetime) -> Refusal | None:
        """Returns why a code admitted nobody at a time, whether or not it was used."""
        if found.revoked_at is not None and found.revoked_at <= at:
            return TicketRevoked()
        if not found.is_paid:
            return AwaitingPayment()
        opens_at, closes_at = self._door.of(found.starts_at)
        if opens_at is not None and at < opens_at:
            return NotYetValid()
        if closes_at is not None and at >= closes_at:
            return DoorsClosed()
        return None


async def _expect_own(connection: Connection, code: Code, viewer: Viewer) -> None:
    """Raises WrongEvent unless the viewer may admit people to the event of a code."""
    values = {"event_id": code.event_id}
    row = await (await connection.execute(SQL["get_organizer"], values)).fetchone()
    if row is None or not (viewer.caller.is_admin or row[0] == viewer.caller.subject):
        raise WrongEvent


def _answer_again(found: Scanned, scanned_at: datetime) -> Admitted | Refusal:
    if found.was_first:
        return found.admitted(scanned_at)
    return AlreadyUsed(used_at=found.used_at, is_double=True)


def _time_of(scan: Scan, now: datetime) -> datetime:
    """Returns when a code was scanned. Raises ValidationFailed for a time to come."""
    if scan.at is not None and scan.at > now + CLOCKS_DIFFER:
        raise ValidationFailed(violations=[Violation("at", "must not be in the future")])
    return scan.at or now
