"""Idempotency keys: the result of a request is stored in the transaction of its work.

A service keeps results in a table `idempotency` of its schema for 24 hours, as the bytes of the
response or of the refusal's status. Its transaction claims the keys, so a process that dies leaves
none claimed. Statements work on sets of keys: a batch costs as many of them as one request.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.rpc import status_pb2
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.round_trip import RoundTrip, Rows, prepared
from services.kit.rpc.errors import (
    IdempotencyKeyReused,
    Internal,
    Refusal,
    refusal_from_status,
    status_of,
)

SQL = queries.load(__file__)
_CLAIM, _RECALL, _STORE = (prepared(name, SQL[name]) for name in ("claim", "recall", "store"))


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key of a caller for an operation, with a digest of the request's content."""

    caller: str
    operation: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """A result to store: the bytes of a response, or of a google.rpc.Status if it is a refusal.

    `is_refusal` is None for a response that its service has yet to complete.
    """

    key: Key
    is_refusal: bool | None
    response: bytes


@dataclass(frozen=True, slots=True)
class Completion:
    """A result that takes the place of an incomplete response of its key."""

    incomplete: bytes
    result: Result


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The result of the first request with a key.

    `response` is None in a row that a former release wrote in another form.
    """

    number: int
    """Position of its key among those that were claimed together, from 1."""
    fingerprint: bytes
    is_refusal: bool | None
    response: bytes | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Claims:
    """The claimed keys and the results that are stored for them; readable after the round trip."""

    keys: Sequence[Key]
    claimed: Rows
    stored: Rows

    def read(self) -> tuple[list[bool], Mapping[int, StoredResult]]:
        """Returns whether each key was claimed, and the stored results by the keys' indices."""
        results = (StoredResult(*row) for row in self.stored.rows)
        claimed = [is_claimed for (is_claimed,) in self.claimed.rows]
        return claimed, {result.number - 1: result for result in results}


def fingerprint(operation: str, *content: object) -> bytes:
    """Digests the content of a request; its key is refused for any other content."""
    return hashlib.sha256("\x1f".join(("v1", operation, *map(str, content))).encode()).digest()


async def claim(connection: Connection, keys: Sequence[Key]) -> Claims:
    """Claims keys until the transaction ends, and reads the results stored for them.

    Never waits: a key that another transaction has claimed is not claimed.
    """
    values = _names(keys)
    async with connection.pipeline():
        claimed = await connection.execute(SQL["claim"], values)
        stored = await connection.execute(SQL["recall"], values)
    return Claims(keys, Rows(await claimed.fetchall()), Rows(await stored.fetchall()))


def add_claims(trip: RoundTrip, keys: Sequence[Key]) -> Claims:
    """Adds the statements of `claim` to a round trip.

    Round trips keep psycopg from preparing other statements of their connection, so services that
    do not use them call `claim`.
    """
    values = _names(keys)
    return Claims(keys, trip.read(_CLAIM, values), trip.read(_RECALL, values))


async def recall(connection: Connection, key: Key) -> StoredResult | None:
    """Reads the result stored for a key, without a claim."""
    cursor = connection.cursor(row_factory=class_row(StoredResult))
    return await (await cursor.execute(SQL["recall"], _names([key]))).fetchone()


async def lock(connection: Connection, key: Key) -> None:
    """Waits for a key and claims it, to store a result after the request's own transaction."""
    values = {"caller": key.caller, "operation": key.operation, "key": key.key}
    await connection.execute(SQL["lock"], values)


async def store(connection: Connection, results: Sequence[Result]) -> None:
    """Stores the results of claimed keys, in the transaction of the work."""
    await connection.execute(SQL["store"], _rows(results))


def add_results(trip: RoundTrip, results: Sequence[Result]) -> None:
    """Adds the statement of `store` to a round trip."""
    trip.call(_STORE, _rows(results))


async def complete(connection: Connection, completions: Sequence[Completion]) -> list[bool]:
    """Stores results in place of incomplete ones; returns for each whether it was the first."""
    rows = [_row(each.result) | {"incomplete": each.incomplete.hex()} for each in completions]
    values = {"results": queries.as_json(rows)}
    completed = set(await (await connection.execute(SQL["complete"], values)).fetchall())
    keys = [each.result.key for each in completions]
    names = [(key.caller, key.operation, key.key) for key in keys]
    return [name in completed and name not in names[:number] for number, name in enumerate(names)]


async def forget(connection: Connection, *, chunk: int) -> int:
    """Deletes up to `chunk` results that are older than 24 hours; returns how many."""
    return (await connection.execute(SQL["forget"], {"chunk": chunk})).rowcount


def replay(key: Key, stored: StoredResult) -> bytes | Refusal | None:
    """Returns a stored result: the bytes of the response, or the refusal.

    Returns IdempotencyKeyReused for a request with other content, since keys can be guessed, and
    None for a row that a former release wrote in another form.
    """
    if stored.fingerprint != key.fingerprint:
        return IdempotencyKeyReused()
    if stored.is_refusal and stored.response is not None:
        return _replayed_refusal(stored.response)
    return stored.response


def refusal_bytes(refusal: Refusal) -> bytes:
    """Serializes a refusal as it is stored."""
    status: bytes = status_of(refusal).SerializeToString(deterministic=True)
    return status


def _replayed_refusal(response: bytes) -> Refusal:
    refusal = refusal_from_status(status_pb2.Status.FromString(response))
    if refusal is None:
        return Internal()
    refusal.metadata = {**refusal.metadata, "replayed": "true"}
    return refusal


def _names(keys: Sequence[Key]) -> dict[str, object]:
    names = [{"caller": key.caller, "operation": key.operation, "key": key.key} for key in keys]
    return {"keys": queries.as_json(names)}


def _rows(results: Sequence[Result]) -> dict[str, object]:
    return {"results": queries.as_json([_row(result) for result in results])}


def _row(result: Result) -> dict[str, object]:
    return {
        "caller": result.key.caller,
        "operation": result.key.operation,
        "key": result.key.key,
        "fingerprint": result.key.fingerprint.hex(),
        "is_refusal": result.is_refusal,
        "response": result.response.hex(),
    }
