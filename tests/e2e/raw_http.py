"""HTTP/1.1 as raw bytes: for many requests at once, and for malformed ones."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tests.e2e.client import TIMEOUT_SECONDS, check_error

UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The code of an error, or nothing."""
        return str(self.json["error"]) if self.status >= 400 else ""

    @property
    def outcome(self) -> tuple[int, str]:
        """The status, and the code of an error or nothing."""
        return self.status, self.error


class Connection:
    """A connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connects."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> Answer:
        """Sends a whole request, well-formed or not, and waits for the response."""
        self.send(request)
        return await self.answer()

    def send(self, data: bytes) -> None:
        """Sends some bytes."""
        self.writer.write(data)

    def send_end(self) -> None:
        """Closes the sending side."""
        self.writer.write_eof()

    async def answer(self) -> Answer:
        """Reads a response; raises IncompleteReadError or ConnectionError if none comes."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            status, *lines = (await self.head()).split("\r\n")
            fields = (line.partition(": ") for line in lines)
            headers = {name.lower(): value for name, _, value in fields}
            body = await self.reader.readexactly(int(headers["content-length"]))
        answer = Answer(int(status.split(" ")[1]), headers, body)
        _check_form(answer)
        return answer

    async def head(self) -> str:
        """Reads the status and the headers of a response."""
        return (await self.reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1")

    async def is_closed(self) -> bool:
        """Waits until the other side closes; returns whether it sent nothing before that."""
        try:
            return await self.rest() == b""
        except ConnectionError:
            return True

    async def rest(self) -> bytes:
        """Reads until the other side closes."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await self.reader.read()

    async def close(self) -> None:
        """Closes."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connect(port: int) -> AsyncIterator[Connection]:
    """Opens a connection during the block."""
    connection = await Connection.open(port)
    try:
        yield connection
    finally:
        await connection.close()


class Crowd:
    """Many connections that send at the same time."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections

    async def rush(self, requests: Sequence[bytes]) -> list[Answer]:
        """Sends a request on each connection; returns the responses in this order."""
        connections = self._connections[: len(requests)]
        for connection, request in zip(connections, requests, strict=True):
            connection.send(request)
        return await asyncio.gather(*(connection.answer() for connection in connections))

    async def settle(self, requests: Sequence[bytes]) -> list[Answer]:
        """Sends the requests at once, and repeats those with 503 until none is left."""
        answers = dict(enumerate(await self.rush(requests)))
        while refused := [n for n, answer in answers.items() if answer.status == UNAVAILABLE]:
            others = Crowd([self._connections[n] for n in refused])
            again = await others.rush([requests[n] for n in refused])
            answers |= zip(refused, again, strict=True)
        return list(answers.values())


@contextlib.asynccontextmanager
async def crowd(ports: Sequence[int], size: int) -> AsyncIterator[Crowd]:
    """Opens many connections during the block, to each port in turn.

    Each asks something at once, as the gateway soon ends connections that never did.
    """

    async def greet(port: int) -> Connection:
        connection = await Connection.open(port)
        await connection.ask(request("GET", "/health"))
        return connection

    turns = itertools.islice(itertools.cycle(ports), size)
    connections = await asyncio.gather(*map(greet, turns))
    try:
        yield Crowd(connections)
    finally:
        await asyncio.gather(*(connection.close() for connection in connections))


def request(
    method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Returns a request as bytes; a body that is not bytes becomes JSON."""
    fields = {"Host": "boxoffice", **(headers or {})}
    content = b""
    if body is not None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": "application/json", "Content-Length": f"{len(content)}"} | fields
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + content


def reservation(event_id: int, user_id: str, key: str = "", token: str = "") -> bytes:
    """Returns the request of a reservation."""
    headers = {"Idempotency-Key": key} if key else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    body = {"event_id": event_id, "user_id": user_id}
    return request("POST", "/api/bookings/reserve", body, headers)


def ticket(event_key: str, user_id: str, *, path: str = "/book") -> bytes:
    """Returns the request of a ticket, or at `/cancel` the one that gives it back."""
    return request("POST", path, {"userId": user_id, "eventId": event_key})


def _check_form(answer: Answer) -> None:
    """Checks the form that all responses have."""
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status != 500
    if answer.status >= 400 and "not_ready" not in answer.json.values():
        check_error(answer.json)
