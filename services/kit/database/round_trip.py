"""Sends several statements in one round trip; each is prepared once for a connection.

psycopg's pipeline waits for the socket at each statement, which costs about 50 µs of Python. Here
all statements are one simple query: `BEGIN; EXECUTE lock('{1}'); EXECUTE clock(32)`. Locking and
loading for 32 reservations took 420 µs as a pipeline and takes 140 µs like this. Each statement has
its own snapshot, as in a pipeline, and after a failed statement the later ones do not run.

Behind a pooler nothing can be prepared, so there the query has the texts of the statements.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from psycopg.adapt import Transformer

from services.kit.database.postgres import Connection, PooledConnection

Row: TypeAlias = tuple[Any, ...]

_PARAMETER = re.compile(rb"%\((\w+)\)[sbt]")
_NUMBER = re.compile(rb"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that connections prepare under its name, and its parameters in their order."""

    name: str
    text: bytes = field(repr=False)
    parameters: tuple[str, ...] = ()

    def written_out(self, literals: Sequence[bytes]) -> bytes:
        """Returns the text with literals for the parameters, to be run without preparation."""
        return _NUMBER.sub(lambda match: literals[int(match[1]) - 1], self.text)


def prepared(name: str, text: bytes) -> Statement:
    """Returns a statement with the text of a .sql file and parameters like `%(event_id)s::bigint`.

    Its name ends with a digest, which distinguishes statements with the same name.
    """
    parameters = tuple(dict.fromkeys(_PARAMETER.findall(text)))

    def number(match: re.Match[bytes]) -> bytes:
        return b"$%d" % (parameters.index(match[1]) + 1)

    names = tuple(parameter.decode() for parameter in parameters)
    digest = hashlib.sha256(text).hexdigest()[:8]
    return Statement(f"{name}_{digest}", _PARAMETER.sub(number, text), names)


@dataclass(slots=True)
class Rows:
    """The rows of a statement; they are set after the round trip."""

    rows: Sequence[Row] = ()


class RoundTrip:
    """Collects statements and sends them together."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._adapter = Transformer(connection)
        self._script: list[bytes] = []
        self._called: dict[str, Statement] = {}
        self._rows: dict[int, Rows] = {}

    def begin(self, mode: bytes = b"") -> None:
        """Adds the begin of a transaction, with the settings that a session would have."""
        self.command(b"BEGIN" + mode)
        if isinstance(self.connection, PooledConnection):
            for name, value in self.connection.transaction_settings.items():
                self.command(f"SET LOCAL {name} = '{value}'".encode())

    def command(self, text: bytes) -> None:
        """Adds a command without parameters and rows, such as COMMIT."""
        self._script.append(text)

    def call(self, statement: Statement, values: Mapping[str, object]) -> None:
        """Adds a statement that returns no rows."""
        literals = [self._adapter.as_literal(values[name]) for name in statement.parameters]
        if isinstance(self.connection, PooledConnection):
            self._script.append(statement.written_out(literals))
            return
        self._called[statement.name] = statement
        arguments = b"(%s)" % b", ".join(literals) if literals else b""
        self._script.append(b"EXECUTE %s%s" % (statement.name.encode(), arguments))

    def read(self, statement: Statement, values: Mapping[str, object]) -> Rows:
        """Adds a statement; returns an object that gets its rows."""
        self._rows[len(self._script)] = found = Rows()
        self.call(statement, values)
        return found

    async def send(self) -> None:
        """Sends everything and reads the rows; raises the error of the first that fails."""
        if self._called:
            await _prepare(self.connection, self._called)
        # Without parameters of its own this is a simple query, which may have many statements.
        cursor = await self.connection.execute(b";\n".join(self._script), prepare=False)
        for index, found in self._rows.items():
            await cursor.set_result(index)
            found.rows = await cursor.fetchall()


_prepared: WeakKeyDictionary[Connection, set[str]] = WeakKeyDictionary()


async def _prepare(connection: Connection, statements: Mapping[str, Statement]) -> None:
    """Prepares the statements that a connection does not have yet."""
    known = _prepared.get(connection)
    if known is None:
        await _stop_psycopg_from_preparing(connection)
        known = _prepared[connection] = set()
    if statements.keys() <= known:
        return
    # The server knows best: a PREPARE that was cancelled may have taken place all the same.
    there = await connection.execute("SELECT name FROM pg_prepared_statements")
    known.update(name for (name,) in await there.fetchall())
    for name in statements.keys() - known:
        await connection.execute(b"PREPARE %s AS %s" % (name.encode(), statements[name].text))
        known.add(name)


async def _stop_psycopg_from_preparing(connection: Connection) -> None:
    """Keeps psycopg from preparing statements: at a rollback it would deallocate ours, too."""
    await connection.execute("DEALLOCATE ALL", prepare=False)
    connection.prepare_threshold = None
