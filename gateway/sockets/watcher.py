"""A client of Socket.IO that watches an event."""

from collections.abc import Callable
from typing import Any

from gateway.live.pages import Page
from gateway.sockets.packets import ENCODERS, PagePacket

MOST_WAITING = 32
"""Packets that may wait for a client; more are kept for it as pages, which all clients share."""


class SocketWatcher:
    """Writes pages to the queue of a socket; see Watcher."""

    def __init__(
        self,
        socket: Any,
        namespace: str,
        *,
        on_room: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._encode = ENCODERS[namespace]
        self._on_room = on_room
        self._on_end = on_end
        self._was_full = False

    @property
    def is_full(self) -> bool:
        """See Watcher."""
        is_full: bool = self._socket.closed or self._socket.queue.qsize() >= MOST_WAITING
        self._was_full = self._was_full or is_full
        return is_full

    def write(self, page: Page) -> None:
        """See Watcher."""
        for text in page.encoded(self._encode):
            self._socket.queue.put_nowait(PagePacket(text, self._sent))

    def end(self) -> None:
        """See Watcher."""
        self._on_end()

    def _sent(self) -> None:
        if self._was_full and self._socket.queue.qsize() < MOST_WAITING // 2:
            self._was_full = False
            self._on_room()
