"""A client of Socket.IO in one namespace: what it watches, and how much it may ask."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from gateway.live.following import SeatFollowing
from gateway.live.hub import Hub
from gateway.live.queues.claims import Claim, claim
from gateway.sockets.watcher import SocketWatcher
from services.kit.rpc.errors import Refusal

MOST_JOINED = 10
MOST_MESSAGES = 20
MESSAGES_SECONDS = 10.0

Answer = Mapping[str, Any]


class _Watch(NamedTuple):
    """An event that is watched."""

    following: SeatFollowing
    watcher: SocketWatcher


class Client:
    """A client in one namespace; `tell` sends it an error that it did not ask for."""

    def __init__(
        self, hub: Hub, socket: Any, namespace: str, tell: Callable[[Answer], None]
    ) -> None:
        self._hub = hub
        self._socket = socket
        self._namespace = namespace
        self._tell = tell
        self._watches: dict[int, _Watch | None] = {}
        self._places: dict[int, Claim | None] = {}
        self._messages = 0
        self._counted_since = 0.0

    def may_send(self) -> bool:
        """Counts a message; returns False if there were too many in a short time."""
        now = asyncio.get_running_loop().time()
        if now - self._counted_since >= MESSAGES_SECONDS:
            self._counted_since, self._messages = now, 0
        self._messages += 1
        return self._messages <= MOST_MESSAGES

    async def join(self, screening_id: int) -> Answer:
        """Watches an event; returns its revision, or the code of an error.

        A client that watches it already gets all seats again.
        """
        self.leave(screening_id)
        if len(self._watches) >= MOST_JOINED:
            return _error("rate_limited", screening_id)
        self._watches[screening_id] = None
        following = await self._hub.seats.open(screening_id)
        is_wanted = screening_id in self._watches and self._watches[screening_id] is None
        if isinstance(following, Refusal):
            if is_wanted:
                del self._watches[screening_id]
            return _error(following.reason.lower(), screening_id)
        if not is_wanted:
            # It left, or joined a second time, before the event was open.
            self._hub.seats.release(following)
            return _error("unavailable", screening_id)
        return self._watch(screening_id, following)

    def leave(self, screening_id: int) -> None:
        """Watches an event no more; does nothing if it does not."""
        watch = self._watches.pop(screening_id, None)
        if watch is not None:
            watch.following.channel.leave(watch.watcher)
            self._hub.seats.release(watch.following)

    async def join_queue(self, screening_id: int, token: str) -> Answer:
        """Follows the place of a token; returns its event, or the code of an error.

        A client that has a place in this queue already has this one instead.
        """
        self.leave_queue(screening_id)
        if len(self._places) >= MOST_JOINED:
            return _error("rate_limited", screening_id)
        self._places[screening_id] = None
        claimed = await claim(self._hub.queues, screening_id, token)
        is_wanted = screening_id in self._places and self._places[screening_id] is None
        if isinstance(claimed, Refusal):
            if is_wanted:
                del self._places[screening_id]
            return _error(claimed.reason.lower(), screening_id)
        if not is_wanted:
            # It left, or joined a second time, before the place was found.
            claimed.release()
            return _error("unavailable", screening_id)
        self._places[screening_id] = claimed
        on_end = partial(self._place_ended, screening_id)
        claimed.join(self._watcher(lambda: None, on_end))
        return {"screening_id": screening_id}

    def leave_queue(self, screening_id: int) -> None:
        """Follows a place no more; does nothing if it does not."""
        claimed = self._places.pop(screening_id, None)
        if claimed is not None:
            claimed.release()

    def leave_all(self) -> None:
        """Watches nothing any more."""
        for screening_id in tuple(self._watches):
            self.leave(screening_id)
        for screening_id in tuple(self._places):
            self.leave_queue(screening_id)

    def _watch(self, screening_id: int, following: SeatFollowing) -> Answer:
        channel = following.channel
        on_room = partial(self._hub.delivery.schedule, channel)
        watcher = self._watcher(on_room, partial(self._ended, screening_id))
        self._watches[screening_id] = _Watch(following, watcher)
        channel.join(watcher, 0)
        return {"screening_id": screening_id, "revision": channel.seats.revision}

    def _watcher(self, on_room: Callable[[], None], on_end: Callable[[], None]) -> SocketWatcher:
        return SocketWatcher(self._socket, self._namespace, on_room=on_room, on_end=on_end)

    def _ended(self, screening_id: int) -> None:
        self.leave(screening_id)
        self._tell(_error("event_not_found", screening_id))

    def _place_ended(self, screening_id: int) -> None:
        self.leave_queue(screening_id)
        self._tell(_error("queue_entry_not_found", screening_id))


def _error(code: str, screening_id: int) -> Answer:
    return {"error": code, "screening_id": screening_id}
