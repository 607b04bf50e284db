import asyncio
from types import SimpleNamespace
from typing import Any

from boxoffice.bookings.v1 import live_pb2
from gateway.live.channel import Channel
from gateway.live.source import NO_LAYOUT
from gateway.sockets.watcher import MOST_WAITING, SocketWatcher
from tests.gateway.live.ledger import EVENT_ID, FREED, HELD, change, snapshot

CHANGES = 200


def turn(channel: Channel, *changes: live_pb2.SeatChange) -> None:
    """Lets changes arrive together, and makes a page of them."""
    revision = changes[-1].revision
    channel.receive(live_pb2.WatchEventResponse(changes=changes, revision=revision), NO_LAYOUT)
    channel.turn_page()


async def test_a_client_that_does_not_read_has_few_packets() -> None:
    """Engine.IO keeps packets without end; who goes on reading gets every change all the same."""
    channel = Channel(EVENT_ID, snapshot(10), NO_LAYOUT)
    socket: Any = SimpleNamespace(queue=asyncio.Queue(), closed=False)
    rooms: list[None] = []
    watcher = SocketWatcher(
        socket, "/seats", on_room=lambda: rooms.append(None), on_end=lambda: None
    )
    channel.join(watcher, 0)
    for number in range(CHANGES):
        turn(channel, change(11 + number, FREED if number % 2 else HELD, 1))
        channel.catch_up(watcher)
    assert socket.queue.qsize() == MOST_WAITING
    read = []
    while not socket.queue.empty():
        read.append(socket.queue.get_nowait().encode(b64=True))
        if rooms:
            rooms.clear()
            channel.catch_up(watcher)
    assert len(read) == 1 + CHANGES
    assert read[0].startswith('42/seats,["seat_status_update",{')
    assert all(f'"revision":{11 + number},' in text for number, text in enumerate(read[1:]))


async def test_a_socket_that_is_closed_gets_nothing() -> None:
    """Its queue would be filled for nobody until it is forgotten."""
    socket: Any = SimpleNamespace(queue=asyncio.Queue(), closed=True)
    watcher = SocketWatcher(socket, "/", on_room=lambda: None, on_end=lambda: None)
    assert watcher.is_full
