"""Claims: a client shows a token, and is told the position of its place from then on."""

import grpc

from boxoffice.bookings.v1 import queue_pb2
from gateway.live.channel import Watcher
from gateway.live.followed import Followed
from gateway.live.queues.following import QueueFollowing
from gateway.live.queues.line import Held
from services.kit.rpc.errors import Refusal

QUEUE_OFF = "QUEUE_OFF"


class PlaceNotFound(Refusal):
    """Nobody has joined the queue with this token."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "QUEUE_ENTRY_NOT_FOUND"


class Claim:
    """A place that was found. Release it in any case, joined or not."""

    def __init__(
        self,
        queues: Followed[QueueFollowing],
        following: QueueFollowing,
        token: str,
        place: queue_pb2.HeldPlace,
    ) -> None:
        self._queues = queues
        self._following: QueueFollowing | None = following
        self._token = token
        self._place = place
        self._held: Held | None = None

    def join(self, client: Watcher) -> None:
        """Updates a client with where it stands, now and whenever that changes."""
        if self._following is not None:
            self._held = self._following.channel.join(self._token, self._place, client)

    def release(self) -> None:
        """Ends the updates of the client; does nothing the second time."""
        following, self._following = self._following, None
        if following is None:
            return
        if self._held is not None:
            following.channel.leave(self._held)
            self._held = None
        self._queues.release(following)


async def claim(queues: Followed[QueueFollowing], event_id: int, token: str) -> Claim | Refusal:
    """Finds the place of a token in the queue of an event."""
    following = await queues.open(event_id)
    if isinstance(following, Refusal):
        return PlaceNotFound() if following.reason == QUEUE_OFF else following
    claimed = None
    try:
        place = await following.find(token)
        if place.state:
            claimed = Claim(queues, following, token, place)
    except Refusal as refusal:
        return refusal
    finally:
        if claimed is None:
            queues.release(following)
    return claimed or PlaceNotFound()
