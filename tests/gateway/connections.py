"""Connections that send and read bytes."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came: its status, its headers in lower case, and its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        """The code; everything else about a refusal must be as always."""
        assert self.headers["content-type"] == "application/json"
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,128}", self.headers["x-request-id"])
        assert self.headers["connection"] == "close"
        [(name, code)] = orjson.loads(self.body).items()
        assert name == "error"
        return str(code)


class Connection:
    """A connection that sends and reads bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Sends."""
        self.writer.write(data)

    async def reply(self) -> Reply:
        """Reads one answer."""
        async with asyncio.timeout(5):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().rstrip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Reply(int(status.split()[1]), headers, body)

    async def rest(self) -> bytes:
        """Reads until the other side closes."""
        async with asyncio.timeout(5):
            return await self.reader.read()


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """Opens a connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Connection(reader, writer)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
