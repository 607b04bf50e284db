"""A bookings service that streams changes which tests write; its watches can be broken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from boxoffice.bookings.v1 import live_pb2, live_pb2_grpc, queue_pb2_grpc, seats_pb2
from services.kit.rpc.errors import Refusal, abort
from tests.gateway.messages import MOMENT

EVENT_ID = 7
SEATS = 16
HELD = live_pb2.SEAT_CHANGE_KIND_HELD
SOLD = live_pb2.SEAT_CHANGE_KIND_SOLD
FREED = live_pb2.SEAT_CHANGE_KIND_FREED
BLOCKED = live_pb2.SEAT_CHANGE_KIND_BLOCKED
UNSEEN = live_pb2.SEAT_CHANGE_KIND_UNSPECIFIED


def change(
    revision: int,
    kind: live_pb2.SeatChangeKind.ValueType = UNSEEN,
    *seat_ids: int,
    seats: int | None = None,
) -> live_pb2.SeatChange:
    """Makes a change; free seats become held, sold or blocked."""
    count = len(seat_ids) if seats is None else seats
    return live_pb2.SeatChange(
        revision=revision,
        kind=kind,
        seat_ids=seat_ids,
        seats=-count if kind == FREED and seats is None else count,
        at=MOMENT,
    )


def snapshot(revision: int, *held: int, **fields: Any) -> live_pb2.SeatSnapshot:
    """Makes a snapshot of a room of which some seats are held."""
    bits = sum(1 << seat - 1 for seat in held)
    values: dict[str, Any] = {
        "total_seats": SEATS,
        "left": SEATS - len(held),
        "held": bits.to_bytes(SEATS // 8, "little"),
        "sold": bytes(SEATS // 8),
        "blocked": bytes(SEATS // 8),
        "status": "PUBLISHED",
        "version": 1,
    }
    return live_pb2.SeatSnapshot(revision=revision, **{**values, **fields})


class Ledger(live_pb2_grpc.LiveServiceServicer):
    """Streams one event: free seats are held, each in a change of its own, and freed again."""

    def __init__(self) -> None:
        self.changes: list[live_pb2.SeatChange] = []
        self.refusal: Refusal | None = None
        self.asked: list[live_pb2.WatchEventRequest] = []
        self.held: set[int] = set()
        self.open = 0
        self._news = asyncio.Condition()
        self._break = 0

    @property
    def revision(self) -> int:
        """Revision of the last change."""
        return len(self.changes)

    async def add(self, kind: live_pb2.SeatChangeKind.ValueType, *seat_ids: int) -> None:
        """Adds a change."""
        async with self._news:
            self.changes.append(change(self.revision + 1, kind, *seat_ids))
            (self.held.difference_update if kind == FREED else self.held.update)(seat_ids)
            self._news.notify_all()

    async def hold_and_free(self, count: int, seat: int = 1) -> None:
        """Adds so many changes of one seat."""
        for _ in range(count):
            await self.add(FREED if seat in self.held else HELD, seat)

    async def break_watches(self) -> None:
        """Ends every watch as if the service had died."""
        async with self._news:
            self._break += 1
            self._news.notify_all()

    async def wait_for_watches(self, count: int) -> None:
        """Waits until there are so many."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: self.open == count)

    async def wait_for_requests(self, count: int) -> None:
        """Waits until so many watches were asked for."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)

    async def WatchEvent(  # noqa: N802
        self, request: live_pb2.WatchEventRequest, context: Any
    ) -> AsyncIterator[live_pb2.WatchEventResponse]:
        """See live.proto."""
        async with self._news:
            self.asked.append(request)
            self._news.notify_all()
        if self.refusal is not None:
            await abort(context, self.refusal)
        async with self._count():
            broken = self._break
            sent = request.after_revision
            if not sent or sent > self.revision:
                sent = self.revision
                yield self._snapshot(request.history)
            while True:
                news = self.changes[sent:]
                if news:
                    sent = self.revision
                    yield live_pb2.WatchEventResponse(changes=news, revision=sent)
                async with self._news:
                    await self._news.wait_for(lambda: self.revision > sent or self._break > broken)  # noqa: B023
                if self._break > broken:
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "broken")

    def _snapshot(self, history: int) -> live_pb2.WatchEventResponse:
        shown = snapshot(self.revision, *self.held)
        shown.past.extend(self.changes[-history:] if history else ())
        return live_pb2.WatchEventResponse(snapshot=shown, revision=self.revision)

    @contextlib.asynccontextmanager
    async def _count(self) -> AsyncIterator[None]:
        async with self._news:
            self.open += 1
            self._news.notify_all()
        try:
            yield
        finally:
            async with self._news:
                self.open -= 1
                self._news.notify_all()


async def seat_map(_: seats_pb2.GetSeatMapRequest, context: Any) -> seats_pb2.GetSeatMapResponse:
    """Responds to GetSeatMap: a room of one row."""
    seats = [
        seats_pb2.ScreeningSeat(seat_id=n, row="A", number=n, type="REGULAR")
        for n in range(1, SEATS + 1)
    ]
    return seats_pb2.GetSeatMapResponse(seat_map=seats_pb2.SeatMap(seats=seats))


@contextlib.asynccontextmanager
async def ledger_server(
    ledger: Ledger, people: queue_pb2_grpc.QueueLineServiceServicer | None = None
) -> AsyncIterator[str]:
    """Serves a ledger, and a queue if there is one, during the block; yields the address."""
    server = grpc.aio.server()
    live_pb2_grpc.add_LiveServiceServicer_to_server(ledger, server)
    if people is not None:
        queue_pb2_grpc.add_QueueLineServiceServicer_to_server(people, server)
    handler = grpc.unary_unary_rpc_method_handler(
        seat_map,
        request_deserializer=seats_pb2.GetSeatMapRequest.FromString,
        response_serializer=seats_pb2.GetSeatMapResponse.SerializeToString,
    )
    service = "boxoffice.bookings.v1.SeatsService"
    server.add_registered_method_handlers(service, {"GetSeatMap": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
