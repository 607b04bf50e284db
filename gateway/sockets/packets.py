"""What is sent to a client of Socket.IO: pages as packets and frames, and what waits for it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from engineio.packet import MESSAGE, Packet
from websockets.frames import Frame, Opcode

from gateway.http.server.web_socket import WebSocketProtocol
from gateway.live.pages import Page

NAMESPACES = ("/", "/seats")
MOST_WAITING = 32
"""Packets that may wait for a client; more are kept for it as pages, which all clients share."""

_EVENT = "2"


class Packets(asyncio.Queue[Packet | None]):
    """The packets that wait for a client; Engine.IO has a task for each client that sends them.

    The task of a WebSocket takes the next packets only after it has written the former ones. So
    while it waits here, everything is written, and a page may go straight to the connection.
    """

    def __init__(self) -> None:
        super().__init__()
        self._socket: Any = None
        self._connection: WebSocketProtocol | None = None
        self._is_all_written = False
        self._wait_for_room: dict[Callable[[], None], None] = {}

    def attach(self, socket: Any, connection: WebSocketProtocol) -> None:
        """Lets pages go to a WebSocket, once the socket of Engine.IO has no other transport."""
        self._socket, self._connection = socket, connection
        connection.on_room = self._tell_room

    async def get(self) -> Packet | None:
        """Takes the next packet."""
        self._is_all_written = self._socket is not None and self._socket.upgraded
        try:
            return await super().get()
        finally:
            self._is_all_written = False

    def put_nowait(self, packet: Packet | None) -> None:
        """Adds a packet."""
        self._is_all_written = False
        super().put_nowait(packet)

    def write(self, page: Page, namespace: str) -> None:
        """Writes a page, or adds its packets."""
        if self._is_all_written and self._connection is not None:
            self._connection.write_frames(page.encoded(FRAMES[namespace]))
            return
        for packet in page.encoded(PACKETS[namespace]):
            self.put_nowait(packet)

    def is_full(self, on_room: Callable[[], None]) -> bool:
        """Returns whether a client reads too slowly; if so, calls `on_room` when that is over."""
        is_full = self.qsize() >= MOST_WAITING or self._is_connection_full
        if is_full:
            self._wait_for_room[on_room] = None
        return is_full

    @property
    def _is_connection_full(self) -> bool:
        """Whether the WebSocket is full; one that came to nothing says nothing of who polls."""
        connection = self._connection
        return connection is not None and self._socket.upgraded and connection.is_full

    def _get(self) -> Packet | None:
        packet = super()._get()
        if self.qsize() < MOST_WAITING // 2:
            self._tell_room()
        return packet

    def _tell_room(self) -> None:
        if self._wait_for_room:
            waiting, self._wait_for_room = self._wait_for_room, {}
            for on_room in waiting:
                on_room()


def _texts(namespace: str, page: Page) -> list[str]:
    prefix = "" if namespace == "/" else f"{namespace},"
    return [f'{_EVENT}{prefix}["{event.name}",{event.data.decode()}]' for event in page.events]


def _packets(namespace: str, page: Page) -> Sequence[Packet]:
    return [Packet(MESSAGE, text) for text in _texts(namespace, page)]


def _frames(namespace: str, page: Page) -> bytes:
    packets = page.encoded(PACKETS[namespace])
    frames = (Frame(Opcode.TEXT, packet.encode().encode()) for packet in packets)
    return b"".join(frame.serialize(mask=False) for frame in frames)


PACKETS: Mapping[str, Callable[[Page], Sequence[Packet]]] = {
    namespace: partial(_packets, namespace) for namespace in NAMESPACES
}
"""The packets of a page, by the namespace of the client."""

FRAMES: Mapping[str, Callable[[Page], bytes]] = {
    namespace: partial(_frames, namespace) for namespace in NAMESPACES
}
"""The frames of a page on a WebSocket, by the namespace of the client."""
