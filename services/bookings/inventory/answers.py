"""Idempotency keys: the answer to a request is stored in the transaction of its work.

The claim of a key is that transaction's own, so a process that dies leaves no key behind that is in
progress. Answers are kept for 24 hours, as the bytes of the response or of the refusal's status.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.rpc import status_pb2
from psycopg import AsyncCursor
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.rpc.errors import Internal, Refusal, refusal_from_status, status_of

SQL = queries.load(__file__)


@dataclass(frozen=True, slots=True)
class Key:
    """An idempotency key: `caller` is whose it is, `fingerprint` a digest of what is asked."""

    caller: str
    operation: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to the request that first used a key, which is number `number` of those asked for.

    Answers of the release before have no bytes, but what they were made of.
    """

    number: int
    fingerprint: bytes
    is_refusal: bool | None
    answer: bytes | None
    outcome: str | None
    event_id: int | None
    booking_id: int | None
    rev: int | None
    snapshot: dict[str, Any] | None
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer to be stored."""

    key: Key
    is_refusal: bool
    answer: bytes


@dataclass(frozen=True, slots=True)
class Claims:
    """Statements under way: which keys are claimed, and what is stored for them."""

    keys: Sequence[Key]
    claimed: AsyncCursor[Any]
    stored: AsyncCursor[Stored]

    async def read(self) -> tuple[list[bool], dict[int, Stored]]:
        """Returns whether each key is ours, and what is stored, by the keys' indices."""
        claimed = [is_ours for (is_ours,) in await self.claimed.fetchall()]
        return claimed, {stored.number - 1: stored for stored in await self.stored.fetchall()}


def fingerprint(operation: str, *asked: object) -> bytes:
    """Digests what is asked: the same key with another one is refused."""
    return hashlib.sha256("\x1f".join(("v1", operation, *map(str, asked))).encode()).digest()


async def claim(connection: Connection, keys: Sequence[Key]) -> Claims:
    """Claims keys until the transaction ends. Call it in a pipeline, and read the claims later."""
    values = {
        "callers": [key.caller for key in keys],
        "operations": [key.operation for key in keys],
        "keys": [key.key for key in keys],
    }
    claimed = await connection.cursor(binary=True).execute(SQL["claim"], values)
    stored = connection.cursor(binary=True, row_factory=class_row(Stored))
    return Claims(keys, claimed, await stored.execute(SQL["recall"], values))


async def keep(connection: Connection, answers: Sequence[Kept]) -> None:
    """Stores answers to claimed keys, in the transaction of the work."""
    values = {
        "callers": [kept.key.caller for kept in answers],
        "operations": [kept.key.operation for kept in answers],
        "keys": [kept.key.key for kept in answers],
        "fingerprints": [kept.key.fingerprint for kept in answers],
        "refusals": [kept.is_refusal for kept in answers],
        "answers": [kept.answer for kept in answers],
    }
    await connection.execute(SQL["keep"], values, binary=True)


async def forget(connection: Connection, *, chunk: int) -> int:
    """Deletes a chunk of the answers whose time is over; returns how many there were."""
    return (await connection.execute(SQL["forget"], {"chunk": chunk})).rowcount


def refusal_bytes(refusal: Refusal) -> bytes:
    """Writes a refusal as it is stored."""
    status: bytes = status_of(refusal).SerializeToString()
    return status


def repeated_refusal(answer: bytes) -> Refusal:
    """Reads a stored refusal, marked as a repetition."""
    refusal = refusal_from_status(status_pb2.Status.FromString(answer))
    if refusal is None:
        return Internal()
    refusal.metadata = {**refusal.metadata, "replayed": "true"}
    return refusal
