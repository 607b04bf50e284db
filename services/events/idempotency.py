"""Requests with a key are worked on once: their answer is stored in the transaction of the work."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from psycopg.rows import class_row

from services.events.answers import Outcome, Pending, Replay
from services.events.errors import Decided
from services.kit import queries
from services.kit.errors import (
    IdempotencyKeyReused,
    OutcomeUnknown,
    Refusal,
    RequestInProgress,
)
from services.kit.postgres import Connection, Pool

SQL = queries.load(__file__)
FORGOTTEN_AT_ONCE = 1000

Work = Callable[[Connection], Awaitable[Outcome | Pending]]


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key; `caller` is whose it is: "" for all who have no token."""

    caller: str
    operation: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Request(Key):
    """A request with a key, and a digest of what it asks for."""

    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored for a key; without an answer it waits for bookings."""

    fingerprint: bytes
    refused: bool | None
    answer: bytes | None


class Idempotency:
    """Remembers answers for 24 hours. `encode` turns one into the bytes that are kept."""

    def __init__(self, pool: Pool, encode: Callable[[Outcome], bytes]) -> None:
        self._pool = pool
        self._encode = encode

    async def once(
        self, connection: Connection, request: Request | None, work: Work
    ) -> Outcome | Pending | Replay:
        """Works within the caller's transaction, or finds what came of it when it was first asked.

        A Decided refusal comes back as an outcome and is stored like a success; any other Refusal
        is raised, undoes the transaction and is not remembered. Raises RequestInProgress and
        IdempotencyKeyReused.
        """
        if request is None:
            return await _decided(work, connection)
        if not await self._claim(connection, request):
            return await self._recall(connection, request)
        outcome = await _decided(work, connection)
        if not isinstance(outcome, Pending):
            await self._store(connection, request, outcome)
        return outcome

    async def settle(self, connection: Connection, key: Key, outcome: Outcome) -> None:
        """Stores the answer to a request that `once` let through, in a later transaction."""
        await connection.execute(SQL["lock_key"], asdict(key))
        await self._store(connection, key, outcome)

    async def replay(self, request: Request | None) -> Replay:
        """Finds a stored answer; raises OutcomeUnknown when there is none yet."""
        if request is None:
            raise OutcomeUnknown
        async with self._pool.connection() as connection:
            found = await self._recall(connection, request)
        if isinstance(found, Pending):
            raise OutcomeUnknown
        return found

    async def forget(self) -> bool:
        """Deletes some keys that are older than a day; tells whether there may be more."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SQL["forget_keys"], {"limit": FORGOTTEN_AT_ONCE})
            return cursor.rowcount == FORGOTTEN_AT_ONCE

    async def _claim(self, connection: Connection, request: Request) -> bool:
        """Takes the key, unless it was used; raises RequestInProgress while somebody is at it."""
        values = asdict(request)
        tried = await (await connection.execute(SQL["try_key"], values)).fetchone()
        if tried is None or not tried[0]:
            raise RequestInProgress
        return await (await connection.execute(SQL["claim_key"], values)).fetchone() is not None

    async def _store(self, connection: Connection, key: Key, outcome: Outcome) -> None:
        values = asdict(key) | {
            "refused": isinstance(outcome, Refusal),
            "answer": self._encode(outcome),
        }
        await connection.execute(SQL["store_answer"], values)

    async def _recall(self, connection: Connection, request: Request) -> Replay | Pending:
        cursor = connection.cursor(row_factory=class_row(Row))
        row = await (await cursor.execute(SQL["get_answer"], asdict(request))).fetchone()
        if row is None:
            raise RequestInProgress
        if row.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused
        if row.refused is None or row.answer is None:
            return Pending()
        return Replay(row.refused, row.answer)


async def _decided(work: Work, connection: Connection) -> Outcome | Pending:
    try:
        return await work(connection)
    except Decided as refusal:
        return refusal
