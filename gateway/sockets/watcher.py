"""A client of Socket.IO that watches an event."""

from collections.abc import Callable
from typing import Any

from gateway.live.pages import Page
from gateway.sockets.packets import Packets


class SocketWatcher:
    """Writes pages to a socket of Engine.IO; see Watcher."""

    def __init__(
        self,
        socket: Any,
        namespace: str,
        *,
        on_room: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._socket = socket
        self._packets: Packets = socket.queue
        self._namespace = namespace
        self._on_room = on_room
        self._on_end = on_end

    @property
    def is_full(self) -> bool:
        """See Watcher."""
        return self._socket.closed or self._packets.is_full(self._on_room)

    def write(self, page: Page) -> None:
        """See Watcher."""
        self._packets.write(page, self._namespace)

    def end(self) -> None:
        """See Watcher."""
        self._on_end()
