"""Reserving seats: one statement decides many requests, and none is answered before it commits.

The rules themselves are in migrations/functions/reserve.sql, under the event's lock.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from operator import attrgetter
from typing import Any

import psycopg
import structlog
from psycopg.rows import class_row

from services.bookings import idempotency
from services.bookings.bookings import Booking
from services.bookings.catalogue import Catalogue
from services.bookings.errors import AlreadyBooked, EventNotBookable, EventNotFound, SoldOut
from services.bookings.idempotency import Key
from services.kit import queries
from services.kit.errors import (
    IdempotencyKeyReused,
    Internal,
    Refusal,
    RequestInProgress,
    Unavailable,
)
from services.kit.postgres import Connection, Pool, refusal_of

SQL = queries.load(__file__)
EXPIRY_CHUNK = 1_000
# What says something of the data (SQLSTATE 22, 23, 54): bad values, broken constraints, too much.
_INDIGESTIBLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)

# Bytes of a random UUID that say what it is (RFC 9562).
_VERSION = bytes(byte & 0x0F | 0x40 for byte in range(256))
_VARIANT = bytes(byte & 0x3F | 0x80 for byte in range(256))

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Way:
    """A way of booking: the operation that idempotency keys belong to.

    An exclusive one gives a user one live booking of an event, unless the event says otherwise.
    One that shows bookings answers with the whole booking.
    """

    operation: str
    is_exclusive: bool
    shows_bookings: bool


RESERVE = Way("reserve", is_exclusive=True, shows_bookings=False)
CREATE = Way("create_booking", is_exclusive=False, shows_bookings=True)


@dataclass(frozen=True, slots=True)
class Request:
    """Seats of an event for a user, all or none; `key` is the idempotency key, None for none.

    `caller` is whose key it is: an account, or "" for all who have no token. Those that are decided
    together go one way.
    """

    event_id: int
    user_id: str
    seat_count: int = 1
    caller: str = ""
    key: str | None = None
    way: Way = RESERVE

    @property
    def fingerprint(self) -> bytes:
        """Digest of what is asked: the same key with another one is refused."""
        asked = (self.event_id, self.user_id, self.seat_count)
        return idempotency.fingerprint(self.way.operation, *asked)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Seats that were booked, and the revision of the inventory that it made.

    `booking` is all of it as it was made, where the way of booking shows that.
    """

    booking_id: int
    event_id: int
    user_id: str
    created_at: datetime
    rev: int
    replayed: bool
    booking: Booking | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """A row of the function `reserve`: what became of item number `item`, counted from 1."""

    item: int
    outcome: str
    booking_id: int | None
    decided_at: datetime | None
    rev: int | None
    replayed: bool


Outcome = Reservation | Refusal
Decide = Callable[[Sequence[Request]], Awaitable[list[Outcome]]]


class Reservations:
    """Reserves seats. Uses the catalogue for events that are not known here yet."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    async def reserve(
        self, requests: Sequence[Request], *, skips_locked: bool = False
    ) -> list[Outcome]:
        """Decides the requests in their order; each is booked or refused on its own.

        With `skips_locked` nobody waits for an event that somebody else has locked: its requests
        are refused as Busy, to be asked again without. Raises psycopg.Error when the database gives
        no answer to any of them.
        """
        decide = partial(self.reserve, skips_locked=skips_locked)
        if alike := _alike(requests):
            return await decide(requests[:alike]) + await _late(decide, requests[alike:])
        firsts, twins = _split(requests)
        decided = await self._reserve_distinct(
            [requests[index] for index in firsts], skips_locked=skips_locked
        )
        # The keys of the twins are stored by now, so they are answered as if they had come later.
        repeated = await _late(decide, [requests[index] for index in twins])
        outcomes = dict(zip(firsts + twins, decided + repeated, strict=True))
        return [outcomes[index] for index in range(len(requests))]

    async def forget_keys(self) -> bool:
        """Deletes a chunk of the answers whose time is over; tells whether there may be more."""
        async with self._pool.connection() as connection:
            deleted = await connection.execute(SQL["forget_keys"], {"chunk": EXPIRY_CHUNK})
            return deleted.rowcount == EXPIRY_CHUNK

    async def _reserve_distinct(
        self, requests: Sequence[Request], *, skips_locked: bool
    ) -> list[Outcome]:
        """Decides requests of which no two share a key, learning of events not known here yet."""
        outcomes = await self._decide(requests, skips_locked=skips_locked)
        unknown = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, UnknownEvent)]
        decided = await _late(self._learn_and_decide, [requests[index] for index in unknown])
        for index, outcome in zip(unknown, decided, strict=True):
            outcomes[index] = outcome
        return outcomes

    async def _learn_and_decide(self, requests: Sequence[Request]) -> list[Outcome]:
        missing = await self._catalogue.learn({request.event_id for request in requests})
        learned = [request for request in requests if request.event_id not in missing]
        decided = iter(await self._decide(learned))
        return [missing.get(request.event_id) or next(decided) for request in requests]

    async def _decide(
        self, requests: Sequence[Request], *, skips_locked: bool = False
    ) -> list[Outcome]:
        """Decides in one transaction; a request that the database cannot digest fails alone.

        Such an error has rolled everything back, so each half may be tried on its own.
        """
        try:
            return await self._run(requests, skips_locked=skips_locked) if requests else []
        except _INDIGESTIBLE:
            if len(requests) == 1:
                log.exception("request cannot be decided", event_id=requests[0].event_id)
                return [Internal()]
        middle = len(requests) // 2
        former = await self._decide(requests[:middle], skips_locked=skips_locked)
        decide = partial(self._decide, skips_locked=skips_locked)
        return former + await _late(decide, requests[middle:])

    async def _run(self, requests: Sequence[Request], *, skips_locked: bool) -> list[Outcome]:
        """Runs the one statement that decides, and commits.

        Requests that are refused alike share their refusal: a full event has many of them.
        """
        way = requests[0].way
        columns = _columns(requests) | {"skips_locked": skips_locked}
        async with self._pool.connection() as connection, _transaction(connection, way):
            cursor = connection.cursor(binary=True, row_factory=class_row(Decision))
            await cursor.execute(SQL["reserve"], columns)
            decisions = await cursor.fetchall()
            decisions.sort(key=attrgetter("item"))
            if way.shows_bookings:
                outcomes = _outcomes(requests, decisions)
                pairs = zip(requests, outcomes, strict=True)
                return [await _shown(connection, *pair) for pair in pairs]
        return _outcomes(requests, decisions)


def _transaction(
    connection: Connection, way: Way
) -> contextlib.AbstractAsyncContextManager[object]:
    """One statement is its own transaction; what shows bookings reads them in that of deciding."""
    return connection.transaction() if way.shows_bookings else contextlib.nullcontext()


async def _shown(connection: Connection, request: Request, outcome: Outcome) -> Outcome:
    """Adds the booking to an outcome: as it is now, or was when the key was first used."""
    if isinstance(outcome, Refusal):
        return outcome
    key = request.key and Key(
        request.caller, request.way.operation, request.key, request.fingerprint
    )
    if key and outcome.replayed:
        booking = await idempotency.recalled(connection, key)
    else:
        place = (outcome.event_id, outcome.booking_id)
        booking = await idempotency.shown(connection, place, key or None)
    return replace(outcome, booking=booking)


async def _late(decide: Decide, requests: Sequence[Request]) -> list[Outcome]:
    """Decides what is left of a batch when the rest is committed.

    If that fails, it fails for these alone: the rest must hear what became of it.
    """
    if not requests:
        return []
    try:
        return await decide(requests)
    except Exception as error:
        log.exception("late items failed", items=len(requests))
        return [refusal_of(error, is_read=False) or Internal()] * len(requests)


def _alike(requests: Sequence[Request]) -> int:
    """Counts the first requests up to one that wants other than they do of the same event.

    Gives 0 if there is none, so that all may be decided together.
    """
    wanted: dict[int, int] = {}
    for index, request in enumerate(requests):
        if wanted.setdefault(request.event_id, request.seat_count) != request.seat_count:
            return index
    return 0


def _split(requests: Sequence[Request]) -> tuple[list[int], list[int]]:
    """Splits the indices into those of distinct keys, or none, and those that repeat a key."""
    firsts, twins = [], []
    seen: set[tuple[str, str]] = set()
    for index, request in enumerate(requests):
        if request.key is not None and (request.caller, request.key) in seen:
            twins.append(index)
            continue
        firsts.append(index)
        if request.key is not None:
            seen.add((request.caller, request.key))
    return firsts, twins


def _columns(requests: Sequence[Request]) -> dict[str, Any]:
    return {
        "event_ids": [request.event_id for request in requests],
        "user_ids": [request.user_id for request in requests],
        "seat_counts": [request.seat_count for request in requests],
        "callers": [request.caller if request.key else None for request in requests],
        "keys": [request.key for request in requests],
        "fingerprints": [request.fingerprint if request.key else None for request in requests],
        "uuids": _random_uuids(len(requests)),
        "way": requests[0].way.operation,
        "exclusive_way": requests[0].way.is_exclusive,
    }


def _random_uuids(count: int) -> list[str]:
    """Draws UUIDs of version 4 at once: one at a time they are a good part of what a seat costs."""
    drawn = bytearray(os.urandom(16 * count))
    drawn[6::16] = drawn[6::16].translate(_VERSION)
    drawn[8::16] = drawn[8::16].translate(_VARIANT)
    written = drawn.hex()
    return [written[start : start + 32] for start in range(0, len(written), 32)]


def _outcomes(requests: Sequence[Request], decisions: Sequence[Decision]) -> list[Outcome]:
    refused = cache(_refusal)
    return [
        _reservation(request, decision)
        if decision.outcome == "RESERVED"
        else refused(decision.outcome, decision.rev, decision.booking_id, decision.replayed)
        for request, decision in zip(requests, decisions, strict=True)
    ]


def _refusal(outcome: str, rev: int | None, booking_id: int | None, replayed: bool) -> Refusal:
    return _REFUSALS[outcome](
        inventory_revision=rev,
        booking_id=booking_id,
        replayed="true" if replayed else None,
    )


def _reservation(request: Request, decision: Decision) -> Reservation:
    if decision.booking_id is None or decision.decided_at is None or decision.rev is None:
        raise ValueError("a reservation without a booking")
    return Reservation(
        decision.booking_id,
        request.event_id,
        request.user_id,
        decision.decided_at,
        decision.rev,
        decision.replayed,
    )


class UnknownEvent(Unavailable):
    """The event is not known here, and the catalogue could not be asked."""


class Busy(Unavailable):
    """Somebody else has the event's lock."""


_REFUSALS: Mapping[str, type[Refusal]] = {
    refusal.reason: refusal
    for refusal in (
        EventNotFound,
        EventNotBookable,
        AlreadyBooked,
        SoldOut,
        IdempotencyKeyReused,
        RequestInProgress,
    )
} | {"UNKNOWN_EVENT": UnknownEvent, "BUSY": Busy}
