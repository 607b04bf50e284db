"""Reads from the database how far behind Boxoffice is, and what waits."""

from dataclasses import dataclass
from types import MappingProxyType

import psycopg
from psycopg.rows import class_row

from services.kit.database import queries
from services.migrate import pending_migrations

SQL = queries.load(__file__)
BACKLOGS = MappingProxyType(
    {
        "catalogue_lag": "changes of events that bookings has not applied",
        "undecided_changes": "changes of events that wait for bookings",
        "holds": "holds of seats",
        "ended_holds": "events with holds that have ended",
        "letters": "e-mails to send",
        "notices": "letters on their way to accounts",
        "webhooks": "webhooks that fail",
        "payments": "payments under way",
        "refunds": "refunds to pay back",
        "failed_refunds": "refunds that somebody has to pay back",
    }
)
"""What may wait, and what it is called."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many wait, and the seconds for which the first one has."""

    count: int
    seconds: float


NOTHING = Backlog(0, 0.0)


@dataclass(frozen=True, slots=True)
class Queue:
    """The virtual queue of an event."""

    event_id: int
    waiting: int
    admitted: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the database says. `frozen` has events with what they disagree with."""

    postgres: str
    pending_migrations: list[str]
    sessions: dict[str, int]
    backlogs: dict[str, Backlog]
    frozen: dict[int, str]
    waiting: int
    queues: list[Queue]


def read(dsn: str) -> Figures:
    """Reads all figures, at one moment. Raises psycopg.Error, of older schemas too."""
    pending = pending_migrations(dsn)
    with psycopg.connect(dsn, options="-c default_transaction_isolation=repeatable\\ read") as one:
        backlogs = _backlogs(one)
        with one.cursor(row_factory=class_row(Queue)) as cursor:
            queues = cursor.execute(SQL["queues"]).fetchall()
        [(waiting,)] = one.execute(SQL["waiting"]).fetchall()
        return Figures(
            postgres=one.info.parameter_status("server_version") or "",
            pending_migrations=pending,
            sessions=dict(one.execute(SQL["sessions"]).fetchall()),
            backlogs=backlogs,
            frozen=dict(one.execute(SQL["frozen"]).fetchall()),
            waiting=waiting,
            queues=queues,
        )


def _backlogs(connection: psycopg.Connection) -> dict[str, Backlog]:
    rows = connection.execute(SQL["backlogs"]).fetchall()
    found = {kind: Backlog(count, seconds) for kind, count, seconds in rows}
    return {kind: found.get(kind, NOTHING) for kind in BACKLOGS}
