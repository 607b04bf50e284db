"""Requests with an idempotency key are decided once; kit stores their results for a day.

The response to a change tells how many seats are left after it. Bookings can count them only once
it has heard of the committed change, so the change commits with an incomplete result. One update
completes that result before anyone is told it: either the request itself completes it with the
seats, or a repetition of the request, after a crash or a lost connection, completes it as it is.
The first update wins and all are told what it stored, so all responses to a key are equal.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from services.events.errors import Decided
from services.kit.database import idempotency, queries
from services.kit.database.idempotency import Key, Result, StoredResult
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import Internal, OutcomeUnknown, Refusal, RequestInProgress

SQL = queries.load(__file__)
FORGETTING_CHUNK = 1_000

ResultT = TypeVar("ResultT")
OutcomeT = TypeVar("OutcomeT")


@dataclass(frozen=True, slots=True)
class Undecided:
    """A request has no result yet: nothing is stored for its key."""


@dataclass(frozen=True, slots=True)
class IncompleteResult(Generic[ResultT]):
    """The result of a committed change, without the seats that bookings has yet to count."""

    result: ResultT


@dataclass(frozen=True, slots=True)
class Replayed:
    """The bytes of the response that the first request with the same key got."""

    response: bytes


class Idempotency:
    """Stores the results of requests that have a key.

    `responses` are functions that make the response to a result, by the operation: `CreateEvent`.
    """

    def __init__(self, pool: Pool, responses: Mapping[str, Callable[[Any], Message]]) -> None:
        self._pool = pool
        self._responses = responses

    async def once(
        self,
        connection: Connection,
        key: Key | None,
        work: Callable[[Connection], Awaitable[OutcomeT]],
    ) -> OutcomeT | Replayed | Refusal:
        """Works within the caller's transaction, or returns the result that is stored for the key.

        A Decided refusal is returned and stored as a success is, and what was written before it is
        rolled back; any other Refusal is raised, so the transaction rolls back and nothing is
        stored. Raises RequestInProgress while another transaction has the key.
        """
        if key is not None and (stored := await self._claim(connection, key)):
            return stored
        try:
            async with connection.transaction():
                outcome: OutcomeT | Decided = await work(connection)
        except Decided as refusal:
            outcome = refusal
        if key is not None and not isinstance(outcome, Undecided):
            await self._store(connection, key, outcome)
        return outcome

    async def run(
        self, key: Key | None, work: Callable[[Connection], Awaitable[ResultT]]
    ) -> ResultT | Replayed:
        """Works once in a transaction of its own; raises a Refusal, a stored one too."""
        async with self._pool.connection() as connection, connection.transaction():
            outcome = await self.once(connection, key, work)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def settle(self, connection: Connection, key: Key, result: object) -> None:
        """Stores the result of a request that was undecided, in a later transaction."""
        await idempotency.lock(connection, key)
        await self._store(connection, key, result)

    async def complete(self, key: Key | None, result: ResultT) -> ResultT | Replayed | Refusal:
        """Completes the result of a committed change, unless a repetition was faster.

        Returns the result for the client.
        """
        if key is None:
            return result
        async with self._pool.connection() as connection, connection.transaction():
            await idempotency.lock(connection, key)
            if await _complete(connection, key, self._encode(key, result)):
                return result
            return await _replay(connection, key)

    async def replay(self, key: Key | None) -> Replayed | Refusal:
        """Returns the stored result of a key; raises OutcomeUnknown if there is none yet."""
        if key is None:
            raise OutcomeUnknown
        async with self._pool.connection() as connection:
            return await _replay(connection, key)

    async def forget(self) -> bool:
        """Deletes a chunk of old results; returns whether there may be more."""
        async with self._pool.connection() as connection:
            forgotten = await idempotency.forget(connection, chunk=FORGETTING_CHUNK)
        return forgotten == FORGETTING_CHUNK

    async def _claim(self, connection: Connection, key: Key) -> Replayed | Refusal | None:
        [is_claimed], stored = (await idempotency.claim(connection, [key])).read()
        if not is_claimed:
            raise RequestInProgress
        return await _replayed(connection, key, stored[0]) if stored else None

    async def _store(self, connection: Connection, key: Key, outcome: object) -> None:
        if isinstance(outcome, Refusal):
            result = Result(key, is_refusal=True, response=idempotency.refusal_bytes(outcome))
        elif isinstance(outcome, IncompleteResult):
            result = Result(key, is_refusal=None, response=self._encode(key, outcome.result))
        else:
            result = Result(key, is_refusal=False, response=self._encode(key, outcome))
        await idempotency.store(connection, [result])

    def _encode(self, key: Key, result: object) -> bytes:
        return self._responses[key.operation](result).SerializeToString(deterministic=True)


async def _replay(connection: Connection, key: Key) -> Replayed | Refusal:
    stored = await idempotency.recall(connection, key)
    if stored is None:
        raise OutcomeUnknown
    return await _replayed(connection, key, stored)


async def _replayed(connection: Connection, key: Key, stored: StoredResult) -> Replayed | Refusal:
    """Returns a stored result; completes it first, and reads again which completion won."""
    replayed = idempotency.replay(key, stored)
    if not isinstance(replayed, bytes):
        return replayed or Internal()
    if stored.is_refusal is None:
        await _complete(connection, key, None)
        return await _replay(connection, key)
    return Replayed(replayed)


async def _complete(connection: Connection, key: Key, response: bytes | None) -> bool:
    """Completes an incomplete result, as it is if `response` is None; returns whether it was."""
    values = {
        "caller": key.caller,
        "operation": key.operation,
        "key": key.key,
        "response": response,
    }
    return (await connection.execute(SQL["complete"], values)).rowcount == 1
