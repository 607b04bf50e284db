"""The HTTP client that makes the load: many requests at once, at little cost.

A general client such as aiohttp takes about five times the processor time for a request, which
the system under test lacks if it runs on the same machine. httptools parses the responses.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools
import orjson

from deploy.load.target import Target

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; the names of `headers` are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def json(self) -> Any:
        """The body; None if it is no JSON, as from a proxy."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    @property
    def code(self) -> str:
        """The code of an error, or the status if the body has none."""
        body = self.json
        return str(body["error"] if isinstance(body, dict) and "error" in body else self.status)

    @property
    def retry_after_seconds(self) -> int | None:
        """The whole seconds of `Retry-After`."""
        value = self.headers.get(b"retry-after", b"")
        return int(value) if value.isdigit() else None


NOT_SENT = Answer(0, {}, b'{"error": "not_sent"}')
"""Stands for the response to a request that was given up before it was sent."""

OnAnswer = Callable[[Answer | None], None]
"""Gets the response, or None if the connection broke or the time was over."""


class Client:
    """Connections to a server, each with at most one request at a time.

    A request goes out on a free connection, else on a new one, else it waits until one is free.
    """

    def __init__(
        self, target: Target, *, connections: int, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self.target = target
        self.timeout_seconds = timeout_seconds
        self._limit = connections
        self._tls = target.tls()
        self._lines: set[_Line] = set()
        self._idle: list[_Line] = []
        self._waiting: deque[tuple[bytes, OnAnswer]] = deque()
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """The number of requests that wait for a connection."""
        return len(self._waiting)

    def send(self, request: bytes, on_answer: OnAnswer) -> None:
        """Sends a request; calls `on_answer` once, later."""
        if self._idle:
            self._idle.pop().ask(request, on_answer)
        elif len(self._lines) < self._limit:
            self._open(request, on_answer)
        else:
            self._waiting.append((request, on_answer))

    async def ask(self, request: bytes) -> Answer | None:
        """Sends a request and waits for the response; None if there is none."""
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def on_answer(answer: Answer | None) -> None:
            if not answered.done():
                answered.set_result(answer)

        self.send(request, on_answer)
        return await answered

    def drop_waiting(self) -> None:
        """Drops the requests that wait for a connection: their response is NOT_SENT."""
        waiting = list(self._waiting)
        self._waiting.clear()
        for _, on_answer in waiting:
            on_answer(NOT_SENT)

    def close(self) -> None:
        """Closes all connections; requests without a response get None."""
        self.drop_waiting()
        for line in list(self._lines):
            line.abort()

    def _open(self, request: bytes, on_answer: OnAnswer) -> None:
        """Opens a connection with its first request.

        A server with too many connections answers without one, which must not go unnoticed.
        """
        line = _Line(self, request, on_answer)
        self._lines.add(line)
        task = asyncio.create_task(self._connect(line))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _connect(self, line: "_Line") -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await loop.create_connection(
                    lambda: line, self.target.host, self.target.port, ssl=self._tls
                )
        except OSError:  # TimeoutError is one
            line.connection_lost(None)

    def is_free(self, line: "_Line") -> None:
        """Uses a connection whose response is complete for the next request."""
        if self._waiting:
            line.ask(*self._waiting.popleft())
        else:
            self._idle.append(line)

    def is_gone(self, line: "_Line") -> None:
        """Forgets a connection, and opens another for a request that waits."""
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)
        if self._waiting and len(self._lines) < self._limit:
            self._open(*self._waiting.popleft())


class _Line(asyncio.Protocol):
    """A connection with at most one request at a time."""

    def __init__(self, client: Client, request: bytes, on_answer: OnAnswer) -> None:
        self._client = client
        self._first = request
        self._on_answer: OnAnswer | None = on_answer
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._on_answer is None:  # closed meanwhile
            self._transport.abort()
            return
        self._write(self._transport, self._first)

    def ask(self, request: bytes, on_answer: OnAnswer) -> None:
        """Sends another request."""
        self._on_answer = on_answer
        if self._transport is None or self._transport.is_closing():
            asyncio.get_running_loop().call_soon(self.connection_lost, None)
        else:
            self._write(self._transport, request)

    def abort(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.abort()
        else:
            self.connection_lost(None)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(None)
        self._client.is_gone(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._body += body

    def on_message_complete(self) -> None:
        """See httptools."""
        answer = Answer(self._parser.get_status_code(), self._headers, self._body)
        self._headers, self._body = {}, b""
        is_kept = self._on_answer is not None and self._parser.should_keep_alive()
        self._finish(answer)
        if is_kept:
            self._client.is_free(self)
        else:
            self.abort()

    def _write(self, transport: asyncio.Transport, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._client.timeout_seconds, self.abort)
        transport.write(request)

    def _finish(self, answer: Answer | None) -> None:
        on_answer, self._on_answer = self._on_answer, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if on_answer is not None:
            on_answer(answer)
