"""How far readers of the ledger are in each event, where events lie on several nodes.

There a reader cannot go by transactions: their numbers are those of the coordinator, and what is
committed in two phases appears on its node a moment later. It goes by revisions instead. An event
counts them under a lock that is held until the commit, so they appear in order and without gaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from services.kit.database import queries
from services.kit.database.postgres import Connection
from services.kit.database.queries import as_json


@dataclass(frozen=True, slots=True)
class Reached:
    """An event that a reader has read up to a revision."""

    event_id: int
    rev: int


@dataclass(frozen=True, slots=True)
class Behind:
    """An event with revisions that a reader may not have read: those after `after`, up to `rev`."""

    event_id: int
    after: int
    rev: int
    organizer_id: str | None


class Progress:
    """How far one reader is. `column` of the table `progress` is its own.

    What is noted is a lower bound: the reader notes it after its transaction, and may die before.
    So it must know by its own tables what it has read.
    """

    def __init__(self, column: str) -> None:
        self._sql = queries.load(__file__, column=column)

    async def list_behind(self, connection: Connection) -> Sequence[Behind]:
        """Lists events that may have more, in the order of their numbers."""
        cursor = connection.cursor(row_factory=class_row(Behind))
        return await (await cursor.execute(self._sql["list_behind"])).fetchall()

    async def note(self, connection: Connection, reached: Sequence[Reached]) -> None:
        """Records how far events were read, in a transaction that has ended."""
        await connection.execute(self._sql["note"], {"reached": as_json(reached)})
