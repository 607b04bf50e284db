"""A receiver of webhooks, which answers as a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Verifier


@dataclass
class Receiver:
    """Takes requests and answers with `status`; those that come while `is_slow` at the end.

    If `is_endless`, the body of a response goes on until the client closes the connection.
    """

    url: str = ""
    status: int = 200
    location: str = ""
    is_slow: bool = False
    is_endless: bool = False
    sent_bytes: int = 0
    on_request: Callable[[], object] = bool
    requests: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)
    has_request: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def changes(self) -> list[Any]:
        """The changes that arrived."""
        return [orjson.loads(body) for _, body in self.requests]

    @property
    def revisions(self) -> list[int]:
        """The revisions of the changes that arrived."""
        return [change["revision"] for change in self.changes]

    def verify(self, secret: str) -> None:
        """Verifies the last request, as the library of the specification does."""
        headers, body = self.requests[-1]
        Verifier(secret).verify(body, dict(headers))

    async def receive(self, request: web.Request) -> web.StreamResponse:
        """Takes a request."""
        self.requests.append((request.headers, await request.read()))
        self.has_request.set()
        self.on_request()
        if self.is_slow:
            await self.has_ended.wait()
        if self.is_endless:
            return await self._respond_for_ever(request)
        headers = {"location": self.location} if self.location else {}
        return web.Response(status=self.status, headers=headers)

    async def _respond_for_ever(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(bytes(1024))
                self.sent_bytes += 1024
        except ConnectionError:
            self.has_ended.set()
        return response


@contextlib.asynccontextmanager
async def receiving(**script: Any) -> AsyncIterator[Receiver]:
    """Runs a receiver on a free port."""
    receiver = Receiver(**script)
    application = web.Application()
    application.router.add_post("/hook", receiver.receive)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        receiver.url = f"http://{host}:{port}/hook"
        yield receiver
    finally:
        receiver.has_ended.set()
        await runner.cleanup()
