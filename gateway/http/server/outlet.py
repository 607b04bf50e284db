"""Writing to a client that may read slowly."""

import asyncio
from collections.abc import Callable

from gateway.http.server.serialization import LAST_CHUNK, serialize_chunk


class Outlet:
    """Writes to one connection; see `messages.Outlet`.

    It is full while the transport holds more than it should for a client that does not read.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._room: asyncio.Future[None] | None = None
        self._is_chunked = False
        self.on_room: Callable[[], None] | None = None

    @property
    def is_full(self) -> bool:
        """See messages.Outlet."""
        return self._room is not None or self._transport.is_closing()

    @property
    def protocol(self) -> asyncio.BaseProtocol:
        """See messages.Outlet."""
        return self._transport.get_protocol()

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """See messages.Outlet."""
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)

    def write(self, data: bytes) -> None:
        """See messages.Outlet."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def send(self, data: bytes) -> None:
        """Writes once the client has read enough of what came before."""
        while self._room is not None:
            await self._room
        self.write(data)

    async def send_part(self, part: bytes) -> None:
        """See messages.Outlet."""
        if part:
            await self.send(serialize_chunk(part) if self._is_chunked else part)

    async def send_end(self) -> None:
        """Ends a chunked body."""
        if self._is_chunked:
            await self.send(LAST_CHUNK)

    def begin_chunks(self) -> None:
        """Lets `send_part` write chunks from now on."""
        self._is_chunked = True

    def pause(self) -> None:
        """Holds writers back until `resume`."""
        self._room = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Lets writers go on."""
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        if self.on_room is not None:
            self.on_room()
