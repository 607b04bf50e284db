"""The pool of connections to PostgreSQL, and the conversion of its errors to refusals."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]

# A statement that the server ended by itself was rolled back, so it certainly did nothing:
# lock_not_available, query_canceled, serialization_failure, deadlock_detected,
# idle_in_transaction_session_timeout, transaction_timeout, read_only_sql_transaction,
# cannot_connect_now.
_ROLLED_BACK = {"55P03", "57014", "40001", "40P01", "25P03", "25P04", "25006", "57P03"}
_OUT_OF_RESOURCES = "53"
PATIENCE_SECONDS = 0.5
REACHABLE_SECONDS = 1.0
START_SECONDS = 30.0
LOOK_SECONDS = 0.1
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})

_POOLED = MappingProxyType({"prepare_threshold": None})
_SESSION = {
    "statement_timeout": "2s",
    "lock_timeout": "1s",
    # A process that is paused during a transaction loses its locks after this.
    "idle_in_transaction_session_timeout": "5s",
    "client_connection_check_interval": "5s",
    "jit": "off",
    "timezone": "UTC",
}


class PooledConnection(AsyncConnection[TupleRow]):
    """A connection to a pooler, where each transaction may have another session.

    Nothing outlives a transaction: no prepared statement, and no setting but those of the role.
    """

    transaction_settings: Mapping[str, str] = NO_SETTINGS
    """Settings for the transactions of its pool that are begun with `RoundTrip.begin`."""


def role_settings(schema: str) -> Mapping[str, str]:
    """Returns the settings of sessions of a service, which its role must have behind a pooler."""
    return {**_SESSION, "search_path": schema}


def open_pool(
    dsn: str,
    *,
    schema: str,
    size: int,
    name: str = "",
    session: Mapping[str, str] = NO_SETTINGS,
    patience_seconds: float = PATIENCE_SECONDS,
    pooled: bool = False,
) -> Pool:
    """Returns a pool of at most `size` connections to one schema; enter it to open it.

    `name` distinguishes the pools of a process in its metrics; it is the schema's by default.
    `session` are further settings of the sessions. `pooled` is for a DSN that leads to a pooler in
    transaction mode.

    Connections are in autocommit: a single statement is a transaction, several need `async with
    connection.transaction()`. Asking for a connection raises PoolTimeout when none is free within
    `patience_seconds`, and TooManyRequests when too many others wait.
    """
    kind = type("Connection", (PooledConnection,), {"transaction_settings": session})
    return AsyncConnectionPool(
        dsn,
        connection_class=kind if pooled else AsyncConnection,
        min_size=1,
        max_size=size,
        open=False,
        timeout=patience_seconds,
        max_waiting=size * 64,
        # Pauses between attempts to connect double up to this length; then the pool gives up until
        # the next request. With a longer limit it could sleep for as long as the outage lasted.
        reconnect_timeout=2,
        name=name or schema,
        kwargs={
            "autocommit": True,
            "application_name": f"boxoffice-{schema}",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            # Milliseconds. There are no keepalives while a statement is unacknowledged.
            "tcp_user_timeout": 10_000,
            "connect_timeout": 2,
            **(_POOLED if pooled else _session({**role_settings(schema), **session})),
        },
    )


def _session(settings: Mapping[str, str]) -> Mapping[str, Any]:
    """Returns the arguments of a connection that is a session with these settings."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    return {"options": options, "prepare_threshold": 1}


@contextlib.asynccontextmanager
async def snapshot(pool: Pool) -> AsyncIterator[Connection]:
    """Yields a connection in a read-only transaction, in which all reads see the same."""
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


def refusal_from_database(error: BaseException, *, is_read: bool) -> Refusal | None:
    """Returns the refusal that a database error means; None if the error is a defect.

    A lost connection leaves a write in doubt: it may have committed before the connection broke.
    """
    if isinstance(error, PoolTimeout | TooManyRequests | PoolClosed):
        return Unavailable()
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Unavailable() if getattr(error, "sqlstate", None) in _ROLLED_BACK else None
    state = error.sqlstate or ""
    if is_read or state in _ROLLED_BACK or state.startswith(_OUT_OF_RESOURCES):
        return Unavailable()
    return OutcomeUnknown()


@contextlib.contextmanager
def in_doubt() -> Iterator[None]:
    """Raises OutcomeUnknown in place of failures that would say that certainly nothing was done.

    For what follows after a COMMIT, or after money may have moved.
    """
    try:
        yield
    except Refusal as refusal:
        if refusal.reason == Unavailable.reason:
            raise OutcomeUnknown from refusal
        raise
    except Exception as error:
        if refusal_from_database(error, is_read=False):
            raise OutcomeUnknown from error
        raise


async def wait_until_reachable(pool: Pool, *, seconds: float = START_SECONDS) -> None:
    """Waits at start for a database that is starting too, or is busy.

    Gives up after `seconds` without an error: the next statement raises one.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await is_reachable(pool):  # noqa: ASYNC110 - PostgreSQL does not notify
                await asyncio.sleep(LOOK_SECONDS)


async def are_reachable(pools: Sequence[Pool]) -> bool:
    """Returns whether all pools reach their database; replaces connections that were lost."""
    return all(await asyncio.gather(*map(is_reachable, pools)))


async def is_reachable(pool: Pool) -> bool:
    """Returns whether a statement can be run now; replaces connections that were lost."""
    try:
        # A paused server accepts statements and never responds.
        async with asyncio.timeout(REACHABLE_SECONDS), pool.connection() as connection:
            await connection.execute("SELECT 1")
    except TimeoutError:
        return False
    except psycopg.Error:
        await pool.check()
        return False
    return True
