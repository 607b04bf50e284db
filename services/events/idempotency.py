"""Requests with a key are worked on once: their answer is stored in the transaction of the work.

The answer to a change has a number that is not known by then: how many seats are left, which
bookings can tell only after it heard of the committed change. Such an answer is stored without the
number and marked as unfinished, and one update finishes it before anybody is told. Several may try:
the request itself, and its repetitions after a crash or a lost connection. The first update wins,
and everybody tells what is stored, so all answers to a key are equal. A repetition that comes first
leaves the number out, as if bookings could not be asked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from psycopg.rows import class_row

from services.events.errors import Decided
from services.events.events.answers import Outcome, Pending, Replay, Shown, Uncounted, Written
from services.kit.database import queries
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import IdempotencyKeyReused, OutcomeUnknown, Refusal, RequestInProgress

SQL = queries.load(__file__)
FORGOTTEN_AT_ONCE = 1000

Work = Callable[[Connection], Awaitable[Written]]


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
    """What is stored for a key.

    Without an answer it waits for bookings; an answer whose `refused` is None is unfinished.
    """

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
    ) -> Written | Replay:
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

    async def finish(self, request: Request | None, counted: Shown) -> Shown | Replay:
        """Finishes the answer to a committed change with the seats that were counted after it.

        Returns what is to be told: `counted`, or what was stored if a repetition was faster.
        """
        if request is None:
            return counted
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(SQL["lock_key"], asdict(request))
            if await self._finish(connection, request, self._encode(counted)):
                return counted
            return await self._found(connection, request)

    async def replay(self, request: Request | None) -> Replay:
        """Finds a stored answer; raises OutcomeUnknown when there is none yet."""
        if request is None:
            raise OutcomeUnknown
        async with self._pool.connection() as connection:
            return await self._found(connection, request)

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

    async def _store(self, connection: Connection, key: Key, outcome: Outcome | Uncounted) -> None:
        if isinstance(outcome, Uncounted):
            refused, answer = None, self._encode(outcome.shown)
        else:
            refused, answer = isinstance(outcome, Refusal), self._encode(outcome)
        values = asdict(key) | {"refused": refused, "answer": answer}
        await connection.execute(SQL["store_answer"], values)

    async def _finish(self, connection: Connection, key: Key, answer: bytes | None) -> bool:
        """Finishes an answer, as it is if `answer` is None; returns whether it was unfinished."""
        cursor = await connection.execute(SQL["finish_answer"], asdict(key) | {"answer": answer})
        return cursor.rowcount == 1

    async def _found(self, connection: Connection, request: Request) -> Replay:
        found = await self._recall(connection, request)
        if isinstance(found, Pending):
            raise OutcomeUnknown
        return found

    async def _recall(self, connection: Connection, request: Request) -> Replay | Pending:
        cursor = connection.cursor(row_factory=class_row(Row))
        row = await (await cursor.execute(SQL["get_answer"], asdict(request))).fetchone()
        if row is None:
            raise RequestInProgress
        if row.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused
        if row.answer is None:
            return Pending()
        if row.refused is None:
            await self._finish(connection, request, None)
            return await self._recall(connection, request)
        return Replay(row.refused, row.answer)


async def _decided(work: Work, connection: Connection) -> Written:
    try:
        return await work(connection)
    except Decided as refusal:
        return refusal
