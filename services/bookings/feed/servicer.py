"""The RPC of FeedService: lists changes, and waits for them."""

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, TypeAlias

import grpc
from google.api import httpbody_pb2

from boxoffice.bookings.v1 import feed_pb2, feed_pb2_grpc
from services.bookings.feed.changes import ChangePage, Changes
from services.bookings.feed.cursor import Cursor
from services.bookings.feed.tail import Tail
from services.kit.rpc import context
from services.kit.rpc.errors import ValidationFailed, Violation

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
DEFAULT_LIMIT = 100
MOST_WAITING = 256
JSON = "application/json"
PREFIX = "CHANGE_TYPE_"


class FeedServicer(feed_pb2_grpc.FeedServiceServicer):
    """Serves boxoffice.bookings.v1.FeedService. At most `most_waiting` requests wait."""

    def __init__(self, changes: Changes, tail: Tail, *, most_waiting: int = MOST_WAITING) -> None:
        self._changes = changes
        self._tail = tail
        self._most_waiting = most_waiting

    async def RenderChanges(
        self, request: feed_pb2.RenderChangesRequest, _: Context
    ) -> AsyncIterator[feed_pb2.RenderChangesResponse]:
        """See feed.proto."""
        caller = context.caller.get()
        organizer_id = None if caller.acts_for_anyone else context.account_id()
        kinds = _kinds(request.types)
        limit = request.limit or DEFAULT_LIMIT
        with self._tail.watched(organizer_id) as has_news:
            after = Cursor.parse(request.after)
            page = await self._changes.list_changes(organizer_id, after, kinds, limit)
            if request.wait and _is_end(page) and self._tail.waiting <= self._most_waiting:
                # The gateway and its client learn that the request was admitted.
                yield _part(b" ")
                ends_at = asyncio.get_running_loop().time() + request.wait
                while _is_end(page) and await _is_set(has_news, ends_at):
                    has_news.clear()
                    page = await self._changes.list_changes(organizer_id, page.cursor, kinds, limit)
        yield _part(page.json())


def _kinds(types: str) -> Collection[str]:
    """Reads types of changes; raises ValidationFailed for unknown ones."""
    named = set(filter(None, types.split(",")))
    known = {name.removeprefix(PREFIX) for name in feed_pb2.ChangeType.keys()[1:]}
    if unknown := sorted(named - known):
        violations = [Violation("types", f"{name} is no type of changes") for name in unknown]
        raise ValidationFailed(violations=violations)
    return named


def _is_end(page: ChangePage) -> bool:
    return not page.changes and not page.has_more


async def _is_set(event: asyncio.Event, ends_at: float) -> bool:
    """Waits for an event until a time of the loop; returns whether it is set."""
    try:
        async with asyncio.timeout_at(ends_at):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _part(data: bytes) -> feed_pb2.RenderChangesResponse:
    return feed_pb2.RenderChangesResponse(body=httpbody_pb2.HttpBody(content_type=JSON, data=data))
