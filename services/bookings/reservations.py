"""Reserving seats: one statement decides many requests, and none is answered before it commits.

The rules themselves are in migrations/functions/reserve.sql, under the event's lock.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

import psycopg
import structlog
from psycopg.rows import class_row

from services.bookings import idempotency
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import (
    Decision,
    Outcome,
    Request,
    Reservation,
    UnknownEvent,
    Way,
    columns,
    outcomes,
)
from services.bookings.errors import EventNotBookable, EventNotFound
from services.bookings.idempotency import Key
from services.kit import queries
from services.kit.errors import Internal
from services.kit.postgres import Connection, Pool, refusal_of

SQL = queries.load(__file__)
EXPIRY_CHUNK = 1_000
# What says something of the data (SQLSTATE 22, 23, 54): bad values, broken constraints, too much.
_INDIGESTIBLE = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that exists for its owner alone, at a revision of its inventory."""

    event_id: int
    organizer_id: str | None
    rev: int


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
        await _replace(outcomes, unknown, self._learn_and_decide, requests)
        hidden = [
            i
            for i, outcome in enumerate(outcomes)
            if isinstance(outcome, EventNotFound) and requests[i].may_be_of_owner
        ]
        await _replace(outcomes, hidden, self._tell_owners, requests)
        return outcomes

    async def _learn_and_decide(self, requests: Sequence[Request]) -> list[Outcome]:
        missing = await self._catalogue.learn({request.event_id for request in requests})
        learned = [request for request in requests if request.event_id not in missing]
        decided = iter(await self._decide(learned))
        return [missing.get(request.event_id) or next(decided) for request in requests]

    async def _tell_owners(self, requests: Sequence[Request]) -> list[Outcome]:
        """Tells who owns a draft that it cannot be booked; for all others there is no such event.

        No key keeps that, as it keeps nothing of what does not exist.
        """
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Draft))
            values = {"event_ids": [request.event_id for request in requests]}
            await cursor.execute(SQL["get_drafts"], values)
            drafts = {draft.event_id: draft for draft in await cursor.fetchall()}
        return [_told(request, drafts.get(request.event_id)) for request in requests]

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
        """Runs the one statement that decides, and commits."""
        way = requests[0].way
        values = columns(requests) | {"skips_locked": skips_locked}
        async with self._pool.connection() as connection, _transaction(connection, way):
            cursor = connection.cursor(binary=True, row_factory=class_row(Decision))
            await cursor.execute(SQL[way.statement], values)
            decisions = await cursor.fetchall()
            decisions.sort(key=attrgetter("item"))
            if way.shows_bookings:
                pairs = zip(requests, outcomes(requests, decisions), strict=True)
                return [await _shown(connection, *pair) for pair in pairs]
        return outcomes(requests, decisions)


def _transaction(
    connection: Connection, way: Way
) -> contextlib.AbstractAsyncContextManager[object]:
    """One statement is its own transaction; what shows bookings reads them in that of deciding."""
    return connection.transaction() if way.shows_bookings else contextlib.nullcontext()


async def _shown(connection: Connection, request: Request, outcome: Outcome) -> Outcome:
    """Adds the booking to an outcome: as it is now, or was when the key was first used."""
    if not isinstance(outcome, Reservation):
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


async def _replace(
    outcomes: list[Outcome], indices: Sequence[int], decide: Decide, requests: Sequence[Request]
) -> None:
    """Decides some of the requests anew."""
    decided = await _late(decide, [requests[index] for index in indices])
    for index, outcome in zip(indices, decided, strict=True):
        outcomes[index] = outcome


def _told(request: Request, draft: Draft | None) -> Outcome:
    viewer = request.viewer
    if draft is None or viewer is None or not viewer.owns(draft.organizer_id):
        return EventNotFound()
    return EventNotBookable(inventory_revision=draft.rev)


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
