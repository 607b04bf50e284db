"""Where live updates come from: the streams of bookings."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any, NamedTuple, TypeAlias

import grpc

from boxoffice.bookings.v1 import live_pb2, live_pb2_grpc, seats_pb2, seats_pb2_grpc
from gateway.http.headers import request_id
from gateway.live.events import MOST_SHOWN_SEATS, Layout, layout_of
from gateway.rpc import failures
from gateway.rpc.call import CallContext, metadata_of
from services.kit.rpc.errors import OutcomeUnknown

HISTORY = 2_000
"""Changes before the first snapshot, so that clients of another gateway can go on here."""

NO_LAYOUT: Layout = {}
Response: TypeAlias = live_pb2.WatchEventResponse


class Position(NamedTuple):
    """What is known of an event: a revision of its inventory, and a version; 0 for nothing."""

    revision: int = 0
    version: int = 0

    def after(self, response: Response) -> "Position":
        """Returns the position after a response."""
        has_version = response.HasField("snapshot")
        version = response.snapshot.version if has_version else self.version
        return Position(response.revision, version)


class Source:
    """Watches events in bookings; a response has `seconds` to come where one is due."""

    def __init__(self, channel: grpc.aio.Channel, *, seconds: float) -> None:
        self._watch: Any = live_pb2_grpc.LiveServiceStub(channel).WatchEvent
        self._get_map: Any = seats_pb2_grpc.SeatsServiceStub(channel).GetSeatMap
        self._seconds = seconds

    async def watch(
        self, event_id: int, position: Position
    ) -> AsyncGenerator[tuple[Response, Layout], None]:
        """Yields what follows a position, each snapshot with its layout. Raises Refusal."""
        metadata = metadata_of(CallContext(request_id(None), ""))
        call = self._watch(_request(event_id, position), metadata=metadata)
        with reading(call):
            async with asyncio.timeout(self._seconds):
                response = await call.read()
            while response is not grpc.aio.EOF:
                yield response, await self._layout(event_id, response, metadata)
                response = await call.read()

    async def _layout(
        self, event_id: int, response: Response, metadata: tuple[tuple[str, str], ...]
    ) -> Layout:
        if not response.HasField("snapshot") or not response.snapshot.held:
            return NO_LAYOUT
        if 8 * len(response.snapshot.held) > MOST_SHOWN_SEATS:
            return NO_LAYOUT
        request = seats_pb2.GetSeatMapRequest(screening_id=event_id)
        found = await self._get_map(request, timeout=self._seconds, metadata=metadata)
        return layout_of(found.seat_map.seats)


@contextlib.contextmanager
def reading(call: grpc.aio.Call) -> Iterator[None]:
    """Turns failures of a stream into refusals, and cancels it after the block. Raises Refusal."""
    try:
        yield
    except TimeoutError as error:
        raise OutcomeUnknown from error
    except grpc.aio.AioRpcError as error:
        raise failures.refusal_of(error, is_read=True) from error
    finally:
        call.cancel()


def _request(event_id: int, position: Position) -> live_pb2.WatchEventRequest:
    return live_pb2.WatchEventRequest(
        event_id=event_id,
        after_revision=position.revision,
        after_version=position.version,
        history=0 if position.revision else HISTORY,
    )
