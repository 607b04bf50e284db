"""A Boxoffice in memory that sells seats over HTTP, and can be told to lie.

It is what the load test meets: its event, its bookings, its counts and its live updates.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from deploy.load.target import Target

EVENT_ID = 7
STREAM_SECONDS = 0.005
"""Between looks for changes of a stream."""


@dataclass
class FakeSystem:
    """Sells the seats of one event honestly. A liar overrides a method.

    The first `cut_offs` responses about bookings are cut off after the booking was made.
    """

    total: int = 0
    bookings: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    cut_offs: int = 0
    is_seated: bool = False
    revision: int = 1
    requests: int = 0
    on_reserve: Callable[[int], None] = lambda _: None

    @property
    def live(self) -> list[dict[str, Any]]:
        """The bookings that have seats."""
        return [booking for booking in self.bookings if booking["status"] == "CONFIRMED"]

    def has_room(self) -> bool:
        """Returns whether another seat may be sold."""
        return len(self.live) < self.total

    def next_seat(self) -> int:
        """Returns the seat of the next booking."""
        return len(self.bookings) + 1

    def reserve(self, user_id: str) -> tuple[int, dict[str, Any]]:
        """Books a seat; returns status and body."""
        if not self.has_room():
            return 409, {"error": "sold_out"}
        self.revision += 1
        booking = {
            "id": len(self.bookings) + 1,
            "user_id": user_id,
            "status": "CONFIRMED",
            "seat_count": 1,
            "seat_ids": [self.next_seat()] if self.is_seated else [],
        }
        self.bookings.append(booking)
        return 201, {"booking_id": booking["id"], "event_id": EVENT_ID, "user_id": user_id}

    def reserve_for(self, others: list[str]) -> None:
        """Books for the next one of other buyers, if there is one."""
        if others:
            self.reserve(others.pop())

    def answer(self, key: str, user_id: str) -> tuple[int, dict[str, Any]]:
        """Returns the first answer to a key again."""
        if key not in self.answers:
            self.answers[key] = self.reserve(user_id)
        return self.answers[key]

    def availability(self) -> dict[str, Any]:
        """Returns the counts of seats."""
        booked = len(self.live)
        return {"total_seats": self.total, "booked": booked, "left": self.total - booked}

    def listed(self) -> Sequence[dict[str, Any]]:
        """Returns the bookings as they are listed."""
        return self.bookings

    def shown_left(self) -> int:
        """Returns how many seats live updates show as left."""
        return int(self.availability()["left"])


@contextlib.asynccontextmanager
async def serving(system: FakeSystem) -> AsyncIterator[Target]:
    """Serves a fake system during the block."""
    routes = _Routes(system)
    app = web.Application()
    app.add_routes(
        [
            web.get("/health", routes.health),
            web.post("/events", routes.create),
            web.get("/events/{id}", routes.event),
            web.get("/api/events/{id}/availability", routes.availability),
            web.get("/api/events/{id}/stream", routes.stream),
            web.get("/api/bookings/event/{id}", routes.bookings),
            web.post("/api/bookings/reserve", routes.reserve),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Target("127.0.0.1", runner.addresses[0][1])
    finally:
        routes.is_over = True
        await runner.cleanup()


class _Routes:
    def __init__(self, system: FakeSystem) -> None:
        self._system = system
        self.is_over = False

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def create(self, request: web.Request) -> web.Response:
        body = await request.json()
        self._system.is_seated = "room_id" in body
        self._system.total = body.get("total_seats", 10)
        return web.json_response({"id": EVENT_ID}, status=201)

    async def event(self, request: web.Request) -> web.Response:
        return web.json_response({"id": EVENT_ID, "room_id": None})

    async def availability(self, request: web.Request) -> web.Response:
        return web.json_response(
            self._system.availability(),
            headers={"X-Inventory-Revision": f"{self._system.revision}"},
        )

    async def bookings(self, request: web.Request) -> web.Response:
        """Lists three bookings on a page."""
        listed = self._system.listed()
        start = int(request.query.get("page_token", 0))
        links = {}
        if start + 3 < len(listed):
            links = {"Link": f'<{request.path}?page_size=3&page_token={start + 3}>; rel="next"'}
        return web.json_response(list(listed[start : start + 3]), headers=links)

    async def reserve(self, request: web.Request) -> web.Response:
        user_id = (await request.json())["user_id"]
        self._system.requests += 1
        self._system.on_reserve(self._system.requests)
        status, body = self._system.answer(request.headers["Idempotency-Key"], user_id)
        if self._system.cut_offs:
            self._system.cut_offs -= 1
            assert request.transport is not None
            request.transport.abort()
        return web.json_response(body, status=status)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Streams the state, and again after each change."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sent = 0
        while not self.is_over:
            if self._system.revision > sent:
                sent = self._system.revision
                state = {"revision": sent, "left": self._system.shown_left()}
                line = f"event: seat_status_update\nid: {sent}\ndata: {json.dumps(state)}\n\n"
                await response.write(line.encode())
            await asyncio.sleep(STREAM_SECONDS)  # the fake has no event for changes
        return response
