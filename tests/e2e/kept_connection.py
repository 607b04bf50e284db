"""An HTTP connection that a client keeps for many requests."""

import time
from collections.abc import Iterator

from tests.e2e.raw_http import Answer, Connection

KEPT_SECONDS = 0.5
"""How long a client keeps a connection without requests: less than a gateway drains."""
KEPT_REQUESTS = 10
"""Requests after which a client opens another connection, to the next gateway."""


class KeptConnection:
    """An HTTP connection to one of the gateways, and then to the next one.

    A client does what a balancer does: it goes on to the next gateway if one refuses connections.
    """

    def __init__(self, ports: Iterator[int]) -> None:
        self._ports = ports
        self._connection: Connection | None = None
        self._requests = 0
        self._sent_at = 0.0

    async def ask(self, request: bytes) -> Answer:
        """Sends a request; raises an error of the connection if there is no response."""
        if time.monotonic() > self._sent_at + KEPT_SECONDS:
            await self.close()
        connection = self._connection or await self._open()
        self._sent_at = time.monotonic()
        self._requests += 1
        answer = await connection.ask(request)
        if answer.headers.get("connection") == "close" or self._requests >= KEPT_REQUESTS:
            await self.close()
        return answer

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> Connection:
        try:
            self._connection = await Connection.open(next(self._ports))
        except ConnectionRefusedError:
            self._connection = await Connection.open(next(self._ports))
        self._requests = 0
        return self._connection
