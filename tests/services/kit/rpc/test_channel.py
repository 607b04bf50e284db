import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc
import pytest

from boxoffice.bookings.v1 import bookings_pb2_grpc
from boxoffice.client import CHANNEL_OPTIONS
from services.kit.rpc import channel, context
from services.kit.rpc.errors import OutcomeUnknown, Received, RequestInProgress, Unavailable
from services.kit.server import server
from tests.services.conditions import until
from tests.services.kit.serving import (
    KEY,
    RESERVE,
    Context,
    Script,
    Served,
    nothing,
    serving,
)

Bookings = Any
Options = list[tuple[str, str | int]]
CALLERS = 32


@contextlib.asynccontextmanager
async def calling(
    script: Script = nothing, *, concurrency: int = 1024
) -> AsyncIterator[tuple[Bookings, Served]]:
    """Serves a script; yields a channel to it, as services open them."""
    async with (
        serving(script, concurrency=concurrency) as served,
        channel.open_channel(served.target) as opened,
    ):
        yield bookings_pb2_grpc.BookingsServiceStub(opened), served


async def reserve(bookings: Bookings, timeout_seconds: float = 60, authorization: str = "") -> Any:
    """Makes a call on behalf of the current request."""
    return await channel.call(
        bookings.Reserve, RESERVE, timeout_seconds=timeout_seconds, authorization=authorization
    )


@pytest.fixture(autouse=True)
def _no_deadline() -> Iterator[None]:
    """Clears the deadline, so that the next test has none."""
    token = context._deadline.set(None)
    yield
    context._deadline.reset(token)


@pytest.mark.parametrize(("callers", "own"), [(None, 5.0), (2.0, 5.0), (5.0, 2.0)])
async def test_a_call_ends_with_the_nearer_deadline(callers: float | None, own: float) -> None:
    """A call could go on after its own caller has stopped waiting."""
    seen: list[float | None] = []

    async def look(request: Any, call: Context) -> None:
        seen.append(call.time_remaining())

    async with calling(look) as (bookings, _):
        context.set_deadline(callers)
        await reserve(bookings, own)
    expected = min(own, callers or own)
    assert seen[0] is not None
    assert expected - 1 < seen[0] < expected + 1  # clocks differ by milliseconds


async def test_a_call_carries_the_request_id_and_the_credential() -> None:
    """The other service could log another request id, or not know the caller."""
    seen: list[tuple[str, bool]] = []

    async def look(request: Any, call: Context) -> None:
        seen.append((context.request_id.get(), context.caller.get().is_service))

    async with calling(look) as (bookings, _):
        context.request_id.set("abc")
        await reserve(bookings, authorization=f"Service {KEY}")
    assert seen == [("abc", True)]


async def test_a_refusal_of_the_other_service_is_passed_on() -> None:
    """The reason or metadata of a refusal could be lost between services."""

    async def refuse(request: Any, call: Context) -> None:
        raise RequestInProgress(booking_id=7)

    async with calling(refuse) as (bookings, _):
        with pytest.raises(Received) as refusal:
            await reserve(bookings)
    assert refusal.value.reason == "REQUEST_IN_PROGRESS"
    assert refusal.value.metadata == {"booking_id": "7"}


async def test_a_call_that_was_not_sent_is_certainly_not_done() -> None:
    """A call without a connection could leave its caller in doubt, and not be repeated."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        async with channel.open_channel(target) as opened:
            with pytest.raises(Unavailable):
                await reserve(bookings_pb2_grpc.BookingsServiceStub(opened))


async def test_a_name_that_does_not_resolve_is_certainly_not_done() -> None:
    """A service without replicas could leave its caller in doubt."""
    async with channel.open_channel("nobody.invalid:1") as opened:
        with pytest.raises(Unavailable):
            await reserve(bookings_pb2_grpc.BookingsServiceStub(opened))


@dataclass
class Replicas:
    """Two replicas under load that are restarted in turn."""

    options: Options
    sent: int = 0
    started: int = 0
    calls: Counter[int] = field(default_factory=Counter)
    begun: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)
    over: bool = False
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def run(self, stops: int) -> None:
        """Makes calls without a pause until so many replicas have stopped."""
        async with (
            self.stack,
            self._replica() as first,
            self._replica() as second,
            grpc.aio.insecure_channel(
                f"ipv4:{first.target},{second.target}", options=self.options
            ) as opened,
        ):
            stub = bookings_pb2_grpc.BookingsServiceStub(opened)
            async with asyncio.TaskGroup() as group:
                for _ in range(CALLERS):
                    group.create_task(self._call(stub))
                await self._stop([first, second], stops)
                self.over = True

    async def _stop(self, replicas: list[Served], stops: int) -> None:
        for number in range(stops):
            await until(self._are_both_called)
            await replicas[number].server.stop()
            again = self._replica(replicas[number].target)
            replicas.append(await self.stack.enter_async_context(again))
        await until(self._are_both_called)

    def _replica(self, listen: str = "127.0.0.1:0") -> AbstractAsyncContextManager[Served]:
        """Starts another replica, which counts its calls."""
        self.started += 1
        return serving(partial(self._note, self.started), listen=listen)

    async def _are_both_called(self) -> bool:
        """Returns whether the channel calls both of the replicas that were started last."""
        newest = (self.started - 1, self.started)
        return all(self.calls[number] >= CALLERS for number in newest)

    async def _call(self, stub: Bookings) -> None:
        while not self.over:
            self.sent += 1
            context.request_id.set(f"call-{self.sent}")
            try:
                await reserve(stub)
            except (Unavailable, OutcomeUnknown) as failure:
                self.failures.append(failure)

    async def _note(self, replica: int, request: Any, call: Context) -> None:
        self.calls[replica] += 1
        self.begun.append(context.request_id.get())


async def test_a_replica_that_stops_loses_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rolling restart could lose a call, or make it twice."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)
    replicas = Replicas(CHANNEL_OPTIONS)
    await replicas.run(stops=4)
    assert replicas.failures == []
    assert len(replicas.begun) == len(set(replicas.begun)) == replicas.sent


async def test_without_its_retry_policy_a_stop_would_lose_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Negative control: calls to a server that stops end as CANCELLED."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)
    options: Options = [(n, v) for n, v in CHANNEL_OPTIONS if n != "grpc.service_config"]
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    replicas = Replicas([*options, ("grpc.service_config", json.dumps(config))])
    await replicas.run(stops=4)
    codes = {getattr(failure.__cause__, "code", str)() for failure in replicas.failures}
    assert codes == {grpc.StatusCode.CANCELLED}
    assert len(replicas.begun) == len(set(replicas.begun)) == replicas.sent - len(replicas.failures)


async def test_a_server_that_is_too_busy_did_nothing() -> None:
    """A call that an overloaded server refused could be reported as in doubt."""
    entered, opened = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, call: Context) -> None:
        entered.set()
        await opened.wait()

    async with calling(wait, concurrency=1) as (bookings, _):
        first = asyncio.create_task(reserve(bookings))
        await entered.wait()
        with pytest.raises(Unavailable):
            await reserve(bookings)
        opened.set()
        await first


async def test_a_server_that_dies_leaves_the_outcome_open() -> None:
    """A write that may be done could be reported as not done, and be repeated."""
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
    """A write that is about to be committed could be reported as not done."""

    async def wait(request: Any, call: Context) -> None:
        await asyncio.Event().wait()

    async with calling(wait) as (bookings, _):
        with pytest.raises(OutcomeUnknown) as refusal:
            await reserve(bookings, 0.1)
    assert isinstance(refusal.value.__cause__, grpc.aio.AioRpcError)


async def test_a_server_that_came_back_is_called_again() -> None:
    """A service could need a restart after a restart of another one."""
    async with serving() as first:
        port = first.target
        async with channel.open_channel(port) as opened:
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
