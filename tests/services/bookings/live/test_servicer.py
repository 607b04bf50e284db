import asyncio
import contextlib
from typing import Any

import grpc

from boxoffice.bookings.v1 import live_pb2
from boxoffice.events.v1.events_pb2 import EVENT_STATUS_DRAFT
from services.bookings.__main__ import serving
from tests.conftest import Database
from tests.services.bookings.seats.cinema import open_cinema
from tests.services.bookings.serving import (
    Running,
    bookings_serving,
    called_over,
    catalogue_serving,
    refused,
    settings,
)

HELD, SOLD, FREED, BLOCKED = (
    live_pb2.SEAT_CHANGE_KIND_HELD,
    live_pb2.SEAT_CHANGE_KIND_SOLD,
    live_pb2.SEAT_CHANGE_KIND_FREED,
    live_pb2.SEAT_CHANGE_KIND_BLOCKED,
)

WATCHES, AT_ONCE = 1_024, 8


def watch(running: Running, event_id: int = 1, **fields: Any) -> Any:
    """Watches an event."""
    return running.live.WatchEvent(live_pb2.WatchEventRequest(event_id=event_id, **fields))


async def opened(running: Running) -> Any:
    """Watches event 1; tries again while the service is too busy to begin."""
    while True:
        stream = watch(running)
        try:
            await stream.read()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        else:
            return stream


async def test_seats_are_shown_as_they_are_taken_and_freed(database: Database) -> None:
    """A map in a browser would show other seats than the one that is read."""
    async with open_cinema(database) as cinema:
        first = await cinema.hold(1, 2)
        stream = watch(cinema.running)
        snapshot = (await stream.read()).snapshot
        assert (snapshot.held, snapshot.sold, snapshot.blocked) == (b"\x03", b"\x00", b"\x00")
        assert (snapshot.total_seats, snapshot.left, snapshot.status) == (8, 6, "PUBLISHED")
        await cinema.release(first.reservation.reservation_id)
        await cinema.block(8)
        await cinema.hold(3)
        got: list[Any] = []
        while len(got) < 3:
            got += (await stream.read()).changes
        assert [(each.kind, list(each.seat_ids), each.seats) for each in got] == [
            (FREED, [1, 2], -2),
            (BLOCKED, [8], 1),
            (HELD, [3], 1),
        ]
        stream.cancel()
        again = (await watch(cinema.running).read()).snapshot
        assert (again.held, again.blocked, again.left) == (b"\x04", b"\x80", 6)
        assert again.total_seats == 7


async def test_a_draft_or_unknown_event_is_not_found(database: Database) -> None:
    """Everybody would see drafts: a stream is public, and shared by all who watch the event."""
    async with bookings_serving(database) as running:
        running.catalogue.put(1, status=EVENT_STATUS_DRAFT)
        for event_id in (1, 2):
            assert (await refused(watch(running, event_id).read())).reason == "EVENT_NOT_FOUND"


async def test_a_thousand_watches_keep_nobody_from_booking(database: Database) -> None:
    """Streams would use up the calls that the service works on at once."""
    async with bookings_serving(database) as running:
        running.catalogue.put(1)
        streams = [
            stream
            for _ in range(WATCHES // AT_ONCE)
            for stream in await asyncio.gather(*(opened(running) for _ in range(AT_ONCE)))
        ]
        assert (await running.reserve()).inventory_revision == 2
        changes = await asyncio.gather(*(stream.read() for stream in streams))
        assert {change.revision for change in changes} == {2}


async def test_streams_end_when_the_service_stops(database: Database) -> None:
    """The service would wait seconds for its streams, and their clients would see a failure."""
    async with contextlib.AsyncExitStack() as clients, catalogue_serving() as (catalogue, target):
        async with serving(settings(database, target)) as port:
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
            running = called_over(await clients.enter_async_context(channel), catalogue)
            catalogue.put(1)
            stream = watch(running)
            await stream.read()
            ending = asyncio.ensure_future(stream.read())
        assert await ending is grpc.aio.EOF
