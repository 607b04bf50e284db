import asyncio
from types import SimpleNamespace
from typing import Any

from engineio.packet import MESSAGE, Packet

from boxoffice.bookings.v1 import live_pb2
from gateway.live.channel import Channel
from gateway.live.source import NO_LAYOUT
from gateway.sockets.packets import MOST_WAITING, Packets
from gateway.sockets.watcher import SocketWatcher
from tests.gateway.live.ledger import EVENT_ID, FREED, HELD, change, snapshot

CHANGES = 200


class Connection:
    """A WebSocket whose client reads when the test says so."""

    def __init__(self) -> None:
        self.is_full = False
        self.written: list[bytes] = []
        self.on_room: Any = None

    def write_frames(self, frames: bytes) -> None:
        """Notes what is written."""
        self.written.append(frames)


class Engine:
    """The task of Engine.IO that writes the packets of one client, a step at a time."""

    def __init__(self, *, upgraded: bool) -> None:
        self.connection = Connection()
        self.queue = Packets()
        self.closed = False
        self.upgraded = upgraded
        self._taken: asyncio.Task[Packet | None] | None = None
        self.queue.attach(self, self.connection)  # type: ignore[arg-type]

    async def wait(self) -> None:
        """Waits for the next packet, everything being written."""
        self._taken = asyncio.create_task(self.queue.get())
        await asyncio.sleep(0)

    async def take(self) -> Packet:
        """Takes the packet that it waited for, and does not write it yet."""
        assert self._taken is not None
        packet = await self._taken
        assert packet is not None
        return packet


def watch(channel: Channel, socket: Any, namespace: str = "/seats") -> SocketWatcher:
    """Lets a socket watch, which schedules no further round of its channel."""
    watcher = SocketWatcher(socket, namespace, on_room=lambda: None, on_end=lambda: None)
    channel.join(watcher, 0)
    return watcher


def turn(channel: Channel, *changes: live_pb2.SeatChange) -> None:
    """Lets changes arrive together, and makes a page of them."""
    revision = changes[-1].revision
    channel.receive(live_pb2.WatchEventResponse(changes=changes, revision=revision), NO_LAYOUT)
    channel.turn_page()


async def test_a_client_that_does_not_read_has_few_packets() -> None:
    """Engine.IO keeps packets without end; who goes on reading gets every change all the same."""
    channel = Channel(EVENT_ID, snapshot(10), NO_LAYOUT)
    socket: Any = SimpleNamespace(queue=Packets(), closed=False)
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
    socket: Any = SimpleNamespace(queue=Packets(), closed=True)
    watcher = SocketWatcher(socket, "/", on_room=lambda: None, on_end=lambda: None)
    assert watcher.is_full


async def test_a_page_never_overtakes_what_is_being_written() -> None:
    """A client would see a gap, or an event before the answer that it belongs to."""
    channel, engine = Channel(EVENT_ID, snapshot(10), NO_LAYOUT), Engine(upgraded=True)
    watcher = watch(channel, engine)
    assert engine.queue.qsize() == 1, "the task of Engine.IO has not begun"
    await engine.wait()
    assert '"revision":10,' in (await engine.take()).encode()
    turn(channel, change(11, HELD, 1))
    channel.catch_up(watcher)
    await engine.wait()
    assert not engine.connection.written, "the packet before was not written yet"
    assert '"revision":11,' in (await engine.take()).encode()
    await engine.wait()
    turn(channel, change(12, FREED, 1))
    channel.catch_up(watcher)
    engine.queue.put_nowait(Packet(MESSAGE, "31"))
    turn(channel, change(13, HELD, 1))
    channel.catch_up(watcher)
    [straight] = engine.connection.written
    assert b'"revision":12,' in straight
    assert (await engine.take()).encode() == "431"
    await engine.wait()
    assert '"revision":13,' in (await engine.take()).encode()


async def test_a_client_that_polls_gets_nothing_on_another_connection() -> None:
    """A WebSocket that is still being tried may come to nothing."""
    channel, engine = Channel(EVENT_ID, snapshot(10), NO_LAYOUT), Engine(upgraded=False)
    await engine.wait()
    watch(channel, engine)
    assert not engine.connection.written
    assert '"revision":10,' in (await engine.take()).encode()


async def test_a_client_that_polls_goes_on_after_its_web_socket_came_to_nothing() -> None:
    """Proxies end some WebSockets at once: who had tried one would get nothing more."""
    channel, engine = Channel(EVENT_ID, snapshot(10), NO_LAYOUT), Engine(upgraded=False)
    watcher = watch(channel, engine)
    engine.connection.is_full = True
    turn(channel, change(11, HELD, 1))
    channel.catch_up(watcher)
    assert engine.queue.qsize() == 2


async def test_a_client_goes_on_once_its_connection_has_room() -> None:
    """It would wait for the next change, or hold everything back in memory."""
    channel, engine = Channel(EVENT_ID, snapshot(10), NO_LAYOUT), Engine(upgraded=True)
    await engine.wait()
    watcher = SocketWatcher(
        engine, "/", on_room=lambda: channel.catch_up(watcher), on_end=lambda: None
    )
    channel.join(watcher, 0)
    engine.connection.is_full = True
    turn(channel, change(11, HELD, 1))
    channel.catch_up(watcher)
    assert len(engine.connection.written) == 1
    engine.connection.is_full = False
    engine.connection.on_room()
    assert b'"revision":11,' in engine.connection.written[1]
