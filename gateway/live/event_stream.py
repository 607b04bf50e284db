"""Live updates as Server-Sent Events: `GET /api/events/{event_id}/stream`."""

import asyncio
import random
from functools import partial

from boxoffice.bookings.v1 import live_pb2
from gateway.http.messages import Outlet
from gateway.live.events import Event
from gateway.live.following import SeatFollowing
from gateway.live.hub import Hub
from gateway.live.pages import Page
from gateway.live.queues.claims import Claim, claim
from gateway.rpc.call import CallContext
from services.kit.rpc.errors import Refusal

WATCH_EVENT = "/boxoffice.bookings.v1.LiveService/WatchEvent"
RETRY_MILLISECONDS = (1000, 4000)
"""How long a browser waits before it comes back; a random time, so that not all come at once."""


def encode(page: Page) -> bytes:
    """Encodes a page as Server-Sent Events. An `id` alone fires no event in a browser."""
    if not page.events:
        return b"id: %d\n\n" % page.revision
    return b"".join(map(_encode_event, page.events))


class EventStream:
    """The events of one client; see BodyStream and Watcher."""

    is_chunked = False

    def __init__(
        self, hub: Hub, following: SeatFollowing, after: int, claimed: Claim | None
    ) -> None:
        self._hub = hub
        self._following: SeatFollowing | None = following
        self._claimed = claimed
        self._channel = following.channel
        self._after = after
        self._outlet: Outlet | None = None
        self._ended = asyncio.get_running_loop().create_future()

    @property
    def is_full(self) -> bool:
        """See Watcher."""
        return self._outlet is None or self._outlet.is_full

    async def pour(self, outlet: Outlet) -> None:
        """See BodyStream."""
        self._outlet = outlet
        outlet.on_room = partial(self._hub.delivery.schedule, self._channel)
        outlet.write(b"retry: %d\n\n" % random.randint(*RETRY_MILLISECONDS))  # noqa: S311
        self._channel.join(self, self._after)
        if self._claimed is not None:
            self._claimed.join(self)
        try:
            await self._ended
        finally:
            self._channel.leave(self)
            outlet.on_room = None

    def write(self, page: Page) -> None:
        """See Watcher."""
        if self._outlet is not None:
            self._outlet.write(page.encoded(encode))

    def end(self) -> None:
        """See Watcher."""
        if not self._ended.done():
            self._ended.set_result(None)

    def close(self) -> None:
        """See BodyStream."""
        self.end()
        following, self._following = self._following, None
        if following is not None:
            self._hub.seats.release(following)
        if self._claimed is not None:
            self._claimed.release()


class WatchCall:
    """Opens an EventStream; see Call."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(
        self, request: live_pb2.WatchEventRequest, context: CallContext
    ) -> EventStream | Refusal:
        """See Call."""
        claimed = None
        if request.queue_token:
            found = await claim(self._hub.queues, request.event_id, request.queue_token)
            if isinstance(found, Refusal):
                return found
            claimed = found
        following = await self._open(request.event_id, claimed)
        if isinstance(following, Refusal):
            return following
        return EventStream(self._hub, following, request.after_revision, claimed)

    async def _open(self, event_id: int, claimed: Claim | None) -> SeatFollowing | Refusal:
        """Follows the seats; releases the place if that fails."""
        following: SeatFollowing | Refusal | None = None
        try:
            following = await self._hub.seats.open(event_id)
        finally:
            if claimed is not None and not isinstance(following, SeatFollowing):
                claimed.release()
        return following


def _encode_event(event: Event) -> bytes:
    # Without an `id` a browser keeps that of the event before, and comes back with it.
    head = b"id: %d\n" % event.revision if event.revision else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.name.encode(), head, event.data)
