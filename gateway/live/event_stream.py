"""Live updates as Server-Sent Events: `GET /api/events/{event_id}/stream`."""

import asyncio
import random
from functools import partial

from boxoffice.bookings.v1 import live_pb2
from gateway.http.messages import Outlet
from gateway.live.following import Following
from gateway.live.hub import Hub
from gateway.live.pages import Page
from gateway.rpc.call import CallContext
from services.kit.rpc.errors import Refusal

WATCH_EVENT = "/boxoffice.bookings.v1.LiveService/WatchEvent"
RETRY_MILLISECONDS = (1000, 4000)
"""How long a browser waits before it comes back; a random time, so that not all come at once."""


def encode(page: Page) -> bytes:
    """Encodes a page as Server-Sent Events. An `id` alone fires no event in a browser."""
    if not page.events:
        return b"id: %d\n\n" % page.revision
    return b"".join(
        b"event: %b\nid: %d\ndata: %b\n\n" % (event.name.encode(), event.revision, event.data)
        for event in page.events
    )


class EventStream:
    """The events of one client; see BodyStream and Watcher."""

    is_chunked = False

    def __init__(self, hub: Hub, following: Following, after: int) -> None:
        self._hub = hub
        self._following: Following | None = following
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
            self._hub.release(following)


class WatchCall:
    """Opens an EventStream; see Call."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def __call__(
        self, request: live_pb2.WatchEventRequest, context: CallContext
    ) -> EventStream | Refusal:
        """See Call."""
        following = await self._hub.open(request.event_id)
        if isinstance(following, Refusal):
            return following
        return EventStream(self._hub, following, request.after_revision)
