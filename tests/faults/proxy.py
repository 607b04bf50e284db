"""A TCP proxy between two processes, which a test can slow down, block, break or close."""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to `target`, given as host:port; `address` is where it listens itself.

    Set `latency_seconds` to delay what goes either way. `blackhole` holds back everything, new
    connections too, until `heal`: nothing is lost, as nothing is by TCP. `reset` breaks what is
    connected; `down` does too, and refuses new connections until `heal`.
    """

    def __init__(self, target: str, address: str) -> None:
        self._target = target
        self.address = address
        self.latency_seconds = 0.0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._lines: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.down()
        self._open.set()
        if self._lines:
            await asyncio.wait(self._lines)

    def blackhole(self) -> None:
        """Drops all data, without closing connections."""
        self._open.clear()

    def reset(self) -> None:
        """Resets all connections."""
        for writer in self._writers:
            if writer.is_closing():
                continue
            line: socket.socket = writer.get_extra_info("socket")
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    def down(self) -> None:
        """Resets all connections and refuses new ones."""
        if self._server:
            self._server.close()
            self._server = None
        self.reset()

    async def heal(self) -> None:
        """Forwards again, without a delay."""
        self.latency_seconds = 0.0
        self._open.set()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        host, _, port = self.address.rpartition(":")
        self._server = await asyncio.start_server(self._accept, host, int(port))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._forward(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._target.rpartition(":")
        try:
            there_reader, there = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        self._writers |= {writer, there}
        await asyncio.gather(self._pump(reader, there), self._pump(there_reader, writer))
        self._writers -= {writer, there}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forwards one direction until either end is closed, then closes the other."""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await asyncio.sleep(self.latency_seconds)
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()
