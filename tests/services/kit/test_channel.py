import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from boxoffice.bookings.v1 import bookings_pb2_grpc
from services.kit import channel, context
from services.kit.errors import OutcomeUnknown, Received, RequestInProgress, Unavailable
from tests.services.kit.serving import (
    KEY,
    NAME,
    RESERVE,
    Context,
    Script,
    Served,
    nothing,
    serving,
)

Bookings = Any


@contextlib.asynccontextmanager
async def calling(
    script: Script = nothing, *, concurrency: int = 1024
) -> AsyncIterator[tuple[Bookings, Served]]:
    """Serves a script, and opens a channel to it as a service does to another."""
    async with (
        serving(script, concurrency=concurrency) as served,
        channel.open_channel(served.target, service=NAME) as opened,
    ):
        yield bookings_pb2_grpc.BookingsServiceStub(opened), served


async def reserve(bookings: Bookings, timeout_seconds: float = 5, authorization: str = "") -> Any:
    """Makes a call on behalf of the request at hand."""
    return await channel.call(
        bookings.Reserve, RESERVE, timeout_seconds=timeout_seconds, authorization=authorization
    )


@pytest.fixture(autouse=True)
def _no_deadline() -> Iterator[None]:
    """Leaves no deadline behind for the next test."""
    token = context._deadline.set(None)
    yield
    context._deadline.reset(token)


@pytest.mark.parametrize(("callers", "own"), [(None, 5.0), (2.0, 5.0), (5.0, 2.0)])
async def test_a_call_ends_with_the_nearer_deadline(callers: float | None, own: float) -> None:
    """Nobody waits for an answer longer than the one who asked for it."""
    seen: list[float | None] = []

    async def look(request: Any, call: Context) -> None:
        seen.append(call.time_remaining())

    async with calling(look) as (bookings, _):
        context.set_deadline(callers)
        await reserve(bookings, own)
    expected = min(own, callers or own)
    assert seen[0] is not None
    assert expected - 1 < seen[0] <= expected


async def test_a_call_carries_the_request_id_and_the_credential() -> None:
    """The other service logs under the same id and knows who calls."""
    seen: list[tuple[str, bool]] = []

    async def look(request: Any, call: Context) -> None:
        seen.append((context.request_id.get(), context.caller.get().is_service))

    async with calling(look) as (bookings, _):
        context.request_id.set("abc")
        await reserve(bookings, authorization=f"Service {KEY}")
    assert seen == [("abc", True)]


async def test_a_refusal_of_the_other_service_is_passed_on() -> None:
    """Reason and metadata arrive as they were given."""

    async def refuse(request: Any, call: Context) -> None:
        raise RequestInProgress(booking_id=7)

    async with calling(refuse) as (bookings, _):
        with pytest.raises(Received) as refusal:
            await reserve(bookings)
    assert refusal.value.reason == "REQUEST_IN_PROGRESS"
    assert refusal.value.metadata == {"booking_id": "7"}


async def test_what_was_never_sent_is_certainly_not_done() -> None:
    """Nobody listens: the caller may say so, and try elsewhere."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        async with channel.open_channel(target, service=NAME) as opened:
            with pytest.raises(Unavailable):
                await reserve(bookings_pb2_grpc.BookingsServiceStub(opened))


async def test_a_name_that_does_not_resolve_is_certainly_not_done() -> None:
    """A replica set without members is the same as nobody listening."""
    async with channel.open_channel("nobody.invalid:1", service=NAME) as opened:
        with pytest.raises(Unavailable):
            await reserve(bookings_pb2_grpc.BookingsServiceStub(opened))


async def test_a_server_that_is_not_serving_is_not_called() -> None:
    """A replica on its way out, or not yet ready, gets no calls."""
    called: list[Any] = []

    async def note(request: Any, call: Context) -> None:
        called.append(request)

    async with calling(note) as (bookings, served):
        await served.server.health.set(NAME, health_pb2.HealthCheckResponse.NOT_SERVING)
        with pytest.raises(Unavailable):
            await reserve(bookings)
    assert called == []


async def test_a_server_that_is_too_busy_did_nothing() -> None:
    """The excess is turned away before it begins."""
    entered, opened = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, call: Context) -> None:
        entered.set()
        await opened.wait()

    # One for the look at its health, which is a call too.
    async with calling(wait, concurrency=2) as (bookings, _):
        first = asyncio.create_task(reserve(bookings))
        await entered.wait()
        with pytest.raises(Unavailable):
            await reserve(bookings)
        opened.set()
        await first


async def test_a_server_that_dies_leaves_the_outcome_open() -> None:
    """What was sent may have been done: only the same key can tell."""
    entered = asyncio.Event()

    async def wait(request: Any, call: Context) -> None:
        entered.set()
        await asyncio.Event().wait()

    async with calling(wait) as (bookings, served):
        call = asyncio.create_task(reserve(bookings))
        await entered.wait()
        await served.server.grpc.stop(None)
        with pytest.raises(OutcomeUnknown):
            await call


async def test_a_deadline_leaves_the_outcome_open() -> None:
    """The other service may be about to commit."""

    async def wait(request: Any, call: Context) -> None:
        await asyncio.Event().wait()

    async with calling(wait) as (bookings, _):
        with pytest.raises(OutcomeUnknown) as refusal:
            await reserve(bookings, 0.1)
    assert isinstance(refusal.value.__cause__, grpc.aio.AioRpcError)


async def test_a_server_that_came_back_is_called_again() -> None:
    """A restart of the other service needs none of this one."""
    async with serving() as first:
        port = first.target
        async with channel.open_channel(port, service=NAME) as opened:
            bookings = bookings_pb2_grpc.BookingsServiceStub(opened)
            await reserve(bookings)
            await first.server.grpc.stop(None)
            with pytest.raises(Unavailable):
                await reserve(bookings)
            async with serving(listen=port):
                async with asyncio.timeout(5):
                    while not await _is_answered(bookings):
                        await asyncio.wait_for(opened.channel_ready(), 5)


async def _is_answered(bookings: Bookings) -> bool:
    try:
        await reserve(bookings)
    except Unavailable:
        return False
    return True
