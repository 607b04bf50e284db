"""Names what a restore loses, by comparing the database before it with the one after it."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

import psycopg

from services.kit.database import queries

SQL = queries.load(__file__)
TABLES = {
    "events": "events.events",
    "bookings": "bookings.bookings",
    "payments": "bookings.payments",
    "accounts": "accounts.accounts",
}
"""What is compared, and the table that it is in."""
_AT_ONCE = 1_000

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that only one of the two databases has, in a line of text.

    `came_back` is true for what was there at the time of the backup and ended since.
    """

    kind: str
    text: str
    came_back: bool

    def __str__(self) -> str:
        return f"{'came back' if self.came_back else 'lost'}: {self.text}"


def losses(before: str, after: str) -> Iterator[Loss]:
    """Yields the differences between two databases, given by their DSNs, kind by kind."""
    with psycopg.connect(before) as old, psycopg.connect(after) as new:
        for kind, table in TABLES.items():
            if _has(old, table):
                yield from _differences(kind, _rows(old, kind), _rows(new, kind))


def _has(connection: psycopg.Connection, table: str) -> bool:
    """Returns whether a database has a table; one of an older release may not."""
    return connection.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)


def _rows(connection: psycopg.Connection, kind: str) -> Iterator[Row]:
    """Yields what there is, in the order of the keys, without having all of it in memory."""
    with connection.cursor(name=kind) as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(SQL[kind])


def _differences(kind: str, old: Iterator[Row], new: Iterator[Row]) -> Iterator[Loss]:
    """Compares two lists that are in the order of their keys."""
    before = ((key, text, False) for key, text in old)
    after = ((key, text, True) for key, text in new)
    for _, same in itertools.groupby(heapq.merge(before, after), key=itemgetter(0)):
        found = list(same)
        if len(found) == 1:
            [(_, text, came_back)] = found
            yield Loss(kind, text, came_back)
