"""The TLS handshake of a new connection, before it speaks HTTP."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from uvicorn.server import ServerState

from gateway.http import metrics
from gateway.http.server.connection import HttpProtocol
from gateway.http.server.connection_budget import Slot
from services.kit.tls.reloading import Reloading

BUFFER_BYTES = 64 * 1024
"""What is kept for a client that reads slowly, as without TLS."""


class EncryptedHttp(HttpProtocol):
    """HTTP on a connection whose handshake is done."""

    def __init__(self, server_state: ServerState, handshake: "Handshake") -> None:
        super().__init__(server_state)
        self._handshake = handshake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the slot of the handshake."""
        self._handshake.release()
        cast(asyncio.Transport, transport).set_write_buffer_limits(BUFFER_BYTES)
        super().connection_made(transport)
        if self._handshake.is_stopping:
            self.shutdown()


class Handshake(asyncio.Protocol):
    """Accepts a connection and shakes hands on it; then `http` serves it.

    The handshake takes a slot of the budget, so clients who never finish it cannot take all
    connections. It must be finished in time, and the one that takes longest is ended first where
    slots are short. A certificate that was replaced stays in use on the connections that have it.
    """

    http: type[EncryptedHttp]
    contexts: Reloading[ssl.SSLContext]

    def __init__(self, server_state: ServerState, **_: Any) -> None:
        self._server_state = server_state
        self._loop = asyncio.get_running_loop()
        self.is_stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the handshake, unless there is no slot for another connection."""
        raw = cast(asyncio.Transport, transport)
        peer: str = (raw.get_extra_info("peername") or ("",))[0]
        if self.http.connections.admit(self, peer) is not Slot.NONE:
            self._server_state.connections.add(cast(Any, self))
            # The loop opens the socket again, with TLS: this transport has read nothing yet.
            opened = socket.socket(fileno=os.dup(raw.get_extra_info("socket").fileno()))
            self._task = self._loop.create_task(self._shake_hands(opened))
            self._server_state.tasks.add(self._task)
            self._task.add_done_callback(lambda task: self._end(task, opened))
        raw.abort()

    def close_if_idle(self) -> bool:
        """See Connection. Bytes on their way do not count: they may be a part of the handshake."""
        self._task.cancel()
        return True

    def shutdown(self) -> None:
        """Lets the handshake finish, as a request of the client may be on its way."""
        self.is_stopping = True

    def release(self) -> None:
        """Frees the slot; does nothing if that was done."""
        self.http.connections.remove(self)
        self._server_state.connections.discard(cast(Any, self))

    async def _shake_hands(self, opened: socket.socket) -> None:
        limits = self.http.limits
        try:
            await self._loop.connect_accepted_socket(
                lambda: self.http(self._server_state, self),
                opened,
                ssl=self.contexts.current(),
                ssl_handshake_timeout=limits.head_seconds,
                ssl_shutdown_timeout=limits.linger_seconds,
            )
        except OSError:  # the client refused the certificate, speaks something else, or is slow
            metrics.TLS_FAILURES.inc()

    def _end(self, task: "asyncio.Task[None]", opened: socket.socket) -> None:
        self._server_state.tasks.discard(task)
        self.release()
        if task.cancelled():  # perhaps before the loop had the socket
            opened.close()


def over_tls(
    http: type[HttpProtocol], contexts: Reloading[ssl.SSLContext]
) -> Callable[..., asyncio.Protocol]:
    """Returns the protocol of connections that shake hands before they speak HTTP."""
    encrypted = type("Encrypted", (EncryptedHttp, http), {})
    return type("Protocol", (Handshake,), {"http": encrypted, "contexts": contexts})
