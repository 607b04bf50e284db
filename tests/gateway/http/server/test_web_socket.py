"""Connections that became WebSockets."""

import asyncio

from gateway.http.server.web_socket import WebSocketProtocol, web_socket_config


class Former(asyncio.Protocol):
    """The protocol that the connection had before."""

    is_lost = False

    def connection_lost(self, _: Exception | None) -> None:
        """Notes it."""
        self.is_lost = True


async def serve(scope: object, receive: object, send: object) -> None:
    """Serves nothing."""


async def test_a_web_socket_that_a_stop_cut_off_releases_its_connection() -> None:
    """A client that reads nothing would leave an error in the log, and its connection counted."""
    former = Former()
    protocol = WebSocketProtocol(web_socket_config(serve), former)
    protocol.connection_made(asyncio.Transport())
    protocol.closed.cancel()
    protocol.connection_lost(ConnectionResetError())
    assert former.is_lost
