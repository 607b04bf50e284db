"""Connections that became WebSockets."""

import asyncio

from websockets.protocol import State

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


class Written(asyncio.Transport):
    """A connection that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keeps it."""
        self.data += data

    def is_closing(self) -> bool:
        """Returns False: the client has not gone."""
        return False


async def test_nothing_is_written_after_a_close_frame() -> None:
    """A client takes it for a broken connection, and does not learn why it was closed."""
    transport = Written()
    protocol = WebSocketProtocol(web_socket_config(serve), Former())
    protocol.connection_made(transport)
    protocol.conn.state = State.OPEN
    protocol.write_frames(b"\x81\x012")
    protocol.conn.send_close(1012)
    protocol.write_frames(b"\x81\x013")
    assert transport.data == b"\x81\x012"
