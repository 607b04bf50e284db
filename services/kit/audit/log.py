"""Stores entries of the audit log, and lists them.

An entry is stored before the call and its outcome after it, each in a transaction of its own. So
one place records every call, whatever transactions it has, and no change is without an entry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog
from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.paging import Page, cut

SQL = queries.load(__file__)
OK = "ok"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a kind of `ActorKind`, and the account or the user of the operating system."""

    kind: str
    name: str | None = None
    api_key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """What somebody is about to do; `fields` are names, never values."""

    actor: Actor
    name: str
    target: str | None = None
    fields: Sequence[str] = ()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored action, with its outcome once that is known."""

    id: int
    created_at: datetime
    actor_kind: str
    actor: str | None
    api_key_id: str | None
    action: str
    target: str | None
    fields: Sequence[str]
    request_id: str
    outcome: str | None
    created: str | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries to list; None is any."""

    actor: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditLog:
    """The audit log in the schema of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, action: Action) -> int:
        """Stores an action that is about to begin; returns its number. Raises psycopg.Error."""
        values = {
            "actor_kind": action.actor.kind,
            "actor": action.actor.name,
            "api_key_id": action.actor.api_key_id,
            "action": action.name,
            "target": action.target,
            "fields": list(action.fields),
            "request_id": action.request_id,
        }
        async with self._pool.connection() as connection:
            [[number]] = await (await connection.execute(SQL["begin"], values)).fetchall()
        return int(number)

    async def finish(self, number: int, outcome: str, created: str | None = None) -> None:
        """Stores the outcome of an action; one that cannot be stored stays unknown."""
        values = {"entry_id": number, "outcome": outcome, "created": created}
        try:
            async with self._pool.connection() as connection:
                await connection.execute(SQL["finish"], values)
        except psycopg.Error as error:
            log.warning("no audit outcome", audit_id=number, error=str(error).strip())

    async def list(self, wanted: Filter, page: Page) -> tuple[Sequence[Entry], str]:
        """Returns a page of entries, newest first, and the token of the next page."""
        values = {
            "before": page.before,
            "limit": page.limit,
            "actor": wanted.actor,
            "target": wanted.target,
            "since": wanted.since,
            "until": wanted.until,
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            rows = await (await cursor.execute(SQL["list"], values)).fetchall()
        return cut(rows, page)
