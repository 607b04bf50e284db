"""Runs sessions over one database in every order that its locks allow.

A session runs real code on connections of its own. It stops before each statement and round
trip, or only before each transaction, round trip and commit, until it is given a turn. Every order
of turns is tried. A session that waits for a lock gets no turn until the lock is released.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncConnection

from services.kit.database.postgres import Pool

ORDER_SECONDS = 60
LOOK_SECONDS = 0.002
"""After this time it is asked who waits for a lock; asking costs more than most statements."""
BLOCKED = """
    SELECT pid
    FROM unnest(%s::integer[]) AS pid
    WHERE cardinality(pg_blocking_pids(pid)) > 0
"""


class Turns:
    """Stops a session until it is given its next turn."""

    def __init__(self, *, by_statement: bool = True) -> None:
        self.by_statement = by_statement
        self.waits = asyncio.Event()
        self._granted = asyncio.Event()

    async def wait(self) -> None:
        """Waits for a turn."""
        self._granted.clear()
        self.waits.set()
        await self._granted.wait()

    def grant(self) -> None:
        """Returns the session its turn."""
        self.waits.clear()
        self._granted.set()


class SteppedCursor(psycopg.AsyncCursor[Any]):
    """Waits for a turn before each statement."""

    async def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        """See AsyncCursor."""
        is_round_trip = isinstance(query, bytes) and b"EXECUTE " in query
        await cast(SteppedConnection, self.connection).step(is_round_trip=is_round_trip)
        return await super().execute(query, *arguments, **options)


class SteppedConnection(AsyncConnection[Any]):
    """Waits for a turn before each statement or transaction, and before each commit."""

    turns: Turns | None = None
    depth = 0
    by_round_trip = False

    async def step(self, *, is_round_trip: bool) -> None:
        """Waits for a turn, if the session stops here.

        A round trip is one step. Where every change is a round trip, nothing else is a step.
        """
        if not self.turns or self.by_round_trip is not is_round_trip:
            return
        if is_round_trip or self.turns.by_statement or not self.depth:
            await self.turns.wait()

    @contextlib.asynccontextmanager
    async def transaction(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        """See AsyncConnection."""
        if self.turns and not self.turns.by_statement:
            await self.turns.wait()
        async with super().transaction(*arguments, **options) as transaction:
            self.depth += 1
            try:
                yield transaction
            finally:
                self.depth -= 1
            if self.turns:
                await self.turns.wait()


class Session:
    """A session of the test, with a connection for each schema that it uses."""

    def __init__(self, connections: dict[str, SteppedConnection]) -> None:
        self._connections = connections
        self.turns = Turns()
        self.task: asyncio.Task[Any] | None = None

    def pool(self, schema: str) -> Pool:
        """Returns a stand-in for a pool, which always lends the session's connection."""
        return cast(Pool, _Pool(self._connections[schema]))

    def begin(self, work: Callable[["Session"], Awaitable[object]], *, by_statement: bool) -> None:
        """Begins the work, which waits for its first turn."""
        self.turns = Turns(by_statement=by_statement)
        for connection in self._connections.values():
            connection.turns = self.turns
        self.task = asyncio.ensure_future(work(self))

    @property
    def pids(self) -> list[int]:
        """The server processes of its connections."""
        return [connection.info.backend_pid for connection in self._connections.values()]

    @property
    def is_done(self) -> bool:
        """Whether its work has ended."""
        return self.task is not None and self.task.done()


class _Pool:
    """Lends its connection, and rolls back when the borrower fails, as psycopg's pool does."""

    def __init__(self, connection: SteppedConnection) -> None:
        self._connection = connection

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[SteppedConnection]:
        try:
            yield self._connection
        except BaseException:
            await self._connection.rollback()
            raise


Work = Callable[[Session], Awaitable[object]]


class Interleavings:
    """Tries all orders. `monitor` is a connection that sees which sessions wait for a lock."""

    def __init__(self, monitor: AsyncConnection[Any], sessions: Sequence[Session]) -> None:
        self._monitor = monitor
        self._sessions = sessions

    async def each(
        self, prepare: Callable[[], Awaitable[Sequence[Work]]], *, by_statement: bool = True
    ) -> AsyncIterator[list[Any]]:
        """Yields, for each order, the outcomes of the works: a result, or the exception raised.

        `prepare` creates the data for one order and returns its works. Fails if there was only one
        order, since then nothing was interleaved.
        """
        tried = 0
        left: list[list[int]] = [[]]
        while left:
            works = await prepare()
            left += await self._run(left.pop(), works, by_statement=by_statement)
            tried += 1
            yield [_result(session) for session in self._sessions[: len(works)]]
        assert tried > 1, "there was only one order"

    async def _run(
        self, prefix: list[int], works: Sequence[Work], *, by_statement: bool
    ) -> list[list[int]]:
        """Runs the works in an order that begins with `prefix`; returns the other branches."""
        sessions = self._sessions[: len(works)]
        for session, work in zip(sessions, works, strict=True):
            session.begin(work, by_statement=by_statement)
        order: list[int] = []
        others: list[list[int]] = []
        async with asyncio.timeout(ORDER_SECONDS):
            await self._settle(sessions)
            while not all(session.is_done for session in sessions):
                ready = [i for i, session in enumerate(sessions) if session.turns.waits.is_set()]
                assert ready, f"all are blocked after {order}"
                if len(order) < len(prefix):
                    ready = [prefix[len(order)]]
                others += [[*order, other] for other in ready[1:]]
                order.append(ready[0])
                sessions[ready[0]].turns.grant()
                await self._settle(sessions)
        return others

    async def _settle(self, sessions: Sequence[Session]) -> None:
        """Waits until each session waits for its turn or for a lock, or is done."""
        while moving := [s for s in sessions if not (s.is_done or s.turns.waits.is_set())]:
            if await _one_settles(moving):
                continue
            cursor = await self._monitor.execute(
                BLOCKED, [[pid for session in moving for pid in session.pids]]
            )
            blocked = {pid for (pid,) in await cursor.fetchall()}
            if all(blocked.intersection(session.pids) for session in moving):
                return


async def _one_settles(moving: Sequence[Session]) -> bool:
    """Returns whether a session comes to its next turn or its end before it seems blocked."""
    turns = [asyncio.ensure_future(session.turns.waits.wait()) for session in moving]
    ends = [session.task for session in moving if session.task is not None]
    settled, _ = await asyncio.wait(
        [*turns, *ends], timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    for turn in turns:
        turn.cancel()
    return bool(settled)


def _result(session: Session) -> Any:
    assert session.task is not None
    return session.task.exception() or session.task.result()
