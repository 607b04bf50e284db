"""Idempotency keys of requests that are decided one by one; reserve.sql does the same for many.

The answer is stored in the transaction of the work, and the claim is that transaction's own: a
process that dies leaves no key behind that is in progress.
"""

import hashlib
from dataclasses import dataclass

from psycopg.rows import class_row

from services.bookings.bookings import Booking
from services.kit import queries
from services.kit.errors import IdempotencyKeyReused, RequestInProgress
from services.kit.postgres import Connection

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: `caller` is whose it is, `fingerprint` a digest of what is asked."""

    caller: str
    operation: str
    key: str
    fingerprint: bytes

    @property
    def values(self) -> dict[str, object]:
        """The columns that find its row."""
        return {"caller": self.caller, "operation": self.operation, "key": self.key}


@dataclass(frozen=True, slots=True)
class Stored:
    """What came of the request that first used a key."""

    fingerprint: bytes
    outcome: str
    event_id: int
    booking_id: int | None
    rev: int


def fingerprint(operation: str, *asked: object) -> bytes:
    """Digests what is asked: the same key with another one is refused."""
    return hashlib.sha256("\x1f".join(("v1", operation, *map(str, asked))).encode()).digest()


async def claim(connection: Connection, key: Key) -> Stored | None:
    """Takes a key until the transaction ends; gives what came of it if it was used before.

    Raises RequestInProgress if somebody else is at it, and IdempotencyKeyReused.
    """
    row = await (await connection.execute(SQL["try_key"], key.values)).fetchone()
    if row is None or not row[0]:
        raise RequestInProgress
    cursor = connection.cursor(row_factory=class_row(Stored))
    stored = await (await cursor.execute(SQL["get_answer"], key.values)).fetchone()
    if stored is not None and stored.fingerprint != key.fingerprint:
        raise IdempotencyKeyReused
    return stored


async def remember(
    connection: Connection,
    key: Key | None,
    outcome: str,
    booking: tuple[int, int | None],
    rev: int,
) -> None:
    """Stores what came of a request, in the transaction of the work.

    `booking` is the whole key of the one it was about, or only its event's.
    """
    if key is None:
        return
    event_id, booking_id = booking
    values = key.values | {
        "fingerprint": key.fingerprint,
        "outcome": outcome,
        "event_id": event_id,
        "booking_id": booking_id,
        "rev": rev,
    }
    await connection.execute(SQL["remember"], values)


async def shown(connection: Connection, booking: tuple[int, int], key: Key | None) -> Booking:
    """Reads a booking as it is now, in the transaction that made it so, and keeps that picture."""
    event_id, booking_id = booking
    values: dict[str, object] = {"event_id": event_id, "booking_id": booking_id}
    if key is not None:
        await connection.execute(SQL["keep_snapshot"], key.values | values)
    return await _booking(connection, "get_booking_of_event", values)


async def recalled(connection: Connection, key: Key) -> Booking:
    """Reads a booking as it was when the key was first used."""
    return await _booking(connection, "get_snapshot", key.values)


async def _booking(connection: Connection, statement: str, values: dict[str, object]) -> Booking:
    cursor = connection.cursor(row_factory=class_row(Booking))
    found = await (await cursor.execute(SQL[statement], values)).fetchone()
    if found is None:
        raise LookupError("a booking is gone")
    return found
