import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import grpc
import pytest_asyncio

from gateway.live.event_stream import encode
from gateway.live.following import SeatFollowing
from gateway.live.hub import Hub, open_hub
from gateway.live.pace import PACE, Pace
from gateway.live.pages import Page
from gateway.live.queues.source import QueueSource
from gateway.live.source import HISTORY, Source
from services.bookings.errors import EventNotFound
from services.kit.rpc.errors import Refusal, Unavailable
from tests.gateway.live.ledger import EVENT_ID, HELD, Ledger, ledger_server
from tests.gateway.live.viewer import Viewer

SECONDS = 20
QUICK = replace(PACE, linger_seconds=0.01, first_pause_seconds=0.01)


class Reader(Viewer):
    """A viewer that can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = asyncio.Event()

    def write(self, page: Page) -> None:
        """See Watcher."""
        super().write(page)
        self.changed.set()

    def end(self) -> None:
        """See Watcher."""
        super().end()
        self.changed.set()

    async def until_revision(self, revision: int) -> None:
        """Waits until it has a revision."""
        await self._until(lambda: self.revision >= revision)

    async def until_end(self) -> None:
        """Waits until its watch has ended."""
        await self._until(lambda: self.has_ended)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@pytest_asyncio.fixture
async def ledger() -> Ledger:
    """Returns a ledger with some changes."""
    made = Ledger()
    await made.hold_and_free(3)
    return made


@contextlib.asynccontextmanager
async def hub_of(ledger: Ledger, pace: Pace = PACE) -> AsyncIterator[Hub]:
    """Opens a hub that follows a ledger."""
    async with (
        ledger_server(ledger) as target,
        grpc.aio.insecure_channel(target) as channel,
        open_hub(
            Source(channel, seconds=SECONDS), QueueSource(channel, seconds=SECONDS), pace
        ) as hub,
    ):
        yield hub


async def opened(hub: Hub) -> SeatFollowing:
    """Follows the event of the ledger."""
    following = await hub.seats.open(EVENT_ID)
    assert isinstance(following, SeatFollowing)
    return following


async def watched(hub: Hub) -> tuple[SeatFollowing, Reader]:
    """Lets a client watch the event of the ledger."""
    following, reader = await opened(hub), Reader()
    following.channel.join(reader, 0)
    return following, reader


async def test_an_event_is_followed_once_for_all_clients(ledger: Ledger) -> None:
    """A crowd would cost bookings a stream each; those who come later get the same pages."""
    async with hub_of(ledger) as hub:
        readers = [reader for _, reader in await asyncio.gather(*[watched(hub) for _ in range(20)])]
        await ledger.hold_and_free(5)
        for reader in readers:
            await reader.until_revision(8)
        assert [(request.after_revision, request.history) for request in ledger.asked] == [
            (0, HISTORY)
        ]


async def test_an_event_is_not_followed_after_the_last_client(ledger: Ledger) -> None:
    """Streams of events that nobody watches would stay for ever."""
    async with hub_of(ledger, QUICK) as hub:
        first, second = await opened(hub), await opened(hub)
        hub.seats.release(first)
        await ledger.wait_for_watches(1)
        hub.seats.release(second)
        await ledger.wait_for_watches(0)
        await opened(hub)
        assert len(ledger.asked) == 2


async def test_a_client_that_comes_back_soon_finds_the_event_followed(ledger: Ledger) -> None:
    """Every reload of a page would start a stream in bookings."""
    async with hub_of(ledger) as hub:
        hub.seats.release(await opened(hub))
        await opened(hub)
        assert len(ledger.asked) == 1


async def test_an_interruption_loses_nothing(ledger: Ledger) -> None:
    """A restart of bookings would leave wrong seats on every page."""
    async with hub_of(ledger, QUICK) as hub:
        _, reader = await watched(hub)
        for _ in range(3):
            await ledger.hold_and_free(2)
            await ledger.break_watches()
            await ledger.wait_for_watches(0)
            await ledger.hold_and_free(1)
        await reader.until_revision(12)
        assert reader.statuses == 1
        assert set(reader.taken) == ledger.held
        assert all(request.after_revision for request in ledger.asked[1:])


async def test_a_refusal_reaches_the_client(ledger: Ledger) -> None:
    """It would wait for an event that is not there; and one that is there later must be found."""
    async with hub_of(ledger) as hub:
        ledger.refusal = EventNotFound()
        refusal = await hub.seats.open(EVENT_ID)
        assert isinstance(refusal, Refusal)
        assert refusal.reason == "EVENT_NOT_FOUND"
        ledger.refusal = None
        await opened(hub)


async def test_an_event_that_vanishes_ends_its_streams(ledger: Ledger) -> None:
    """Clients would be shown an event that was withdrawn; an outage must not end them."""
    async with hub_of(ledger, QUICK) as hub:
        _, reader = await watched(hub)
        ledger.refusal = Unavailable()
        await ledger.break_watches()
        await ledger.wait_for_requests(3)
        assert not reader.has_ended
        ledger.refusal = EventNotFound()
        await reader.until_end()


async def test_a_channel_that_fails_ends_alone(ledger: Ledger) -> None:
    """One defect would stop all live updates; the next client starts anew."""

    class Broken(Reader):
        def write(self, page: Page) -> None:
            if self.statuses:
                raise ValueError("a defect")
            super().write(page)

    async with hub_of(ledger) as hub:
        following, broken = await opened(hub), Broken()
        following.channel.join(broken, 0)
        await ledger.add(HELD, 5)
        await broken.until_end()
        _, reader = await watched(hub)
        await ledger.add(HELD, 6)
        await reader.until_revision(5)


@dataclass
class Turns:
    """Counts how often everything else has its turn."""

    count: int = 0

    async def run(self) -> None:
        """Counts until cancelled."""
        while True:
            self.count += 1
            await asyncio.sleep(0)


class Laborious(Viewer):
    """A viewer that takes long to write to; notes whose turn it was."""

    def __init__(self, turns: Turns, seen: list[int]) -> None:
        super().__init__()
        self._turns = turns
        self._seen = seen

    def write(self, page: Page) -> None:
        """See Watcher."""
        began = time.perf_counter()
        while time.perf_counter() - began < 2 * PACE.slice_seconds:
            pass
        self._seen.append(self._turns.count)


async def test_bookings_do_not_wait_for_a_crowd(ledger: Ledger) -> None:
    """Writing to thousands at once would hold every other request up."""
    turns, seen = Turns(), list[int]()
    async with hub_of(ledger) as hub, asyncio.TaskGroup() as group:
        following, last = await watched(hub)
        for _ in range(20):
            following.channel.join(Laborious(turns, seen), 0)
        following.channel.leave(last)
        following.channel.join(last, 0)
        seen.clear()
        counting = group.create_task(turns.run())
        await ledger.add(HELD, 9)
        await last.until_revision(4)
        counting.cancel()
    assert len(seen) == 20
    assert len(set(seen)) == 20, "somebody was written to right after somebody else"


async def test_a_quiet_stream_shows_that_it_lives(ledger: Ledger) -> None:
    """Proxies close connections that are silent, and clients would not notice a dead one."""

    class Heart(Viewer):
        beats = 0

        def write(self, page: Page) -> None:
            super().write(page)
            if not page.events:
                assert page.encoded(encode) == b"id: 3\n\n"
                self.beats += 1
                beaten.set()

    beaten, heart = asyncio.Event(), Heart()
    async with hub_of(ledger, replace(PACE, heartbeat_seconds=0.01)) as hub:
        following = await opened(hub)
        following.channel.join(heart, 0)
        async with asyncio.timeout(SECONDS):
            while heart.beats < 3:
                beaten.clear()
                await beaten.wait()
