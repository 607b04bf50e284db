import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from boxoffice.bookings.v1 import bookings_pb2, waiting_list_pb2, waiting_list_pb2_grpc
from boxoffice.client import MAX_MESSAGE_BYTES
from services.kit.process.loopback import addresses
from services.kit.process.ports import CannotListenError
from services.kit.server import server
from services.kit.server.server import DATABASE
from tests.services.conditions import until
from tests.services.kit.serving import (
    AVAILABILITY,
    KEY,
    NAME,
    RESERVE,
    Context,
    Served,
    scripted,
    serving,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Gate:
    """Keeps calls in flight until the test opens it."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def wait(self, request: Any, context: Context) -> None:
        """Waits until the gate is open."""
        self.entered.set()
        await self.opened.wait()


async def health(served: Served, service: str = "") -> Any:
    """Returns the health of a service."""
    request = health_pb2.HealthCheckRequest(service=service)
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    return (await stub.Check(request)).status


async def reflect(
    served: Served, *, version: str = "v1", **asked: Any
) -> reflection_pb2.ServerReflectionResponse:
    """Asks for reflection, as grpcurl does; v1 and v1alpha have the same messages."""

    async def requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(**asked)

    channel: Any = served.channel
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    async for response in call(requests()):
        answer: reflection_pb2.ServerReflectionResponse = response
        return answer
    raise AssertionError("no answer")


@pytest.mark.parametrize("service", ["", NAME])
async def test_a_started_server_is_healthy(service: str) -> None:
    """Load balancers could send no calls to a server that is ready."""
    async with serving() as served:
        assert await health(served, service) == SERVING


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services(version: str) -> None:
    """`grpcurl list` could show nothing, in one of the two versions of reflection."""
    async with serving(reflect=True) as served:
        listed = (await reflect(served, version=version, list_services="")).list_services_response
    assert NAME in {service.name for service in listed.service}


@pytest.mark.parametrize(
    "symbol",
    [NAME, f"{NAME}.Reserve", "boxoffice.bookings.v1.Booking", "boxoffice.bookings.v1.Booking.id"],
)
async def test_reflection_describes_each_kind_of_symbol(symbol: str) -> None:
    """`grpcurl describe` could fail for a service, method, message or field."""
    async with serving(reflect=True) as served:
        found = await reflect(served, file_containing_symbol=symbol)
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(file)
        for file in found.file_descriptor_response.file_descriptor_proto
    ]
    names = {file.name for file in files}
    assert "boxoffice/bookings/v1/bookings.proto" in names
    assert {needed for file in files for needed in file.dependency} <= names


@pytest.mark.parametrize("symbol", [f"{NAME}.Nothing", "nothing", "", "a.b.C", f"{NAME}.Reserve.x"])
async def test_reflection_answers_for_an_unknown_symbol(symbol: str) -> None:
    """A misspelt name could end the stream."""
    async with serving(reflect=True) as served:
        found = await reflect(served, file_containing_symbol=symbol)
    assert found.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_is_off_unless_wanted(version: str) -> None:
    """A production system could show its methods to anybody."""
    async with serving() as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await reflect(served, version=version, list_services="")
    assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_process_on_a_taken_port_is_named() -> None:
    """Two processes could share the calls to one port, or the error leave out the reason."""
    said = rf"cannot listen on {{}}: the port is taken by .*, process {os.getpid()}"
    async with serving() as first, serving() as second:
        with pytest.raises(CannotListenError, match=said.format(first.target)):
            second.server.listen(first.target, patience_seconds=0)


@pytest.mark.parametrize("host", [f"[{a}]" if ":" in a else a for a in addresses("localhost")])
async def test_a_server_listens_on_each_address_of_localhost(host: str) -> None:
    """A client that tries only one address of `localhost` could reach nobody."""
    async with serving() as served:
        port = served.target.rpartition(":")[2]
        async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == SERVING


async def test_stopping_finishes_calls_in_flight() -> None:
    """A rolling restart could cut off accepted calls."""
    gate = Gate()
    async with serving(gate.wait) as served:
        call = served.bookings.Reserve(RESERVE)
        await gate.entered.wait()
        stopping = asyncio.create_task(served.server.stop())
        await until(lambda: _is_not_serving(served))
        gate.opened.set()
        assert await call == bookings_pb2.ReserveResponse()
        await stopping


async def test_calls_are_accepted_until_balancers_know_of_the_stop() -> None:
    """A client that does not know of the stop yet could be refused."""
    gate = Gate()
    gate.opened.set()
    async with serving(gate.wait) as served:
        stopping = asyncio.create_task(served.server.stop())
        await until(lambda: _is_not_serving(served))
        assert await served.bookings.Reserve(RESERVE) == bookings_pb2.ReserveResponse()
        await stopping
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.Reserve(RESERVE)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_stopping_finishes_calls_that_have_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that arrived, but were not handed over yet, could be cancelled."""
    monkeypatch.setattr(server, "DRAIN_SECONDS", 0)
    gate = Gate()
    async with serving(gate.wait) as served:
        calls = [asyncio.ensure_future(_reserve(served)) for _ in range(200)]
        await gate.entered.wait()
        # Calls on one connection arrive in order: with this response all of them have arrived.
        await health(served)
        stopping = asyncio.create_task(served.server.stop())
        await until(lambda: _is_not_serving(served))
        gate.opened.set()
        assert await asyncio.gather(*calls) == [bookings_pb2.ReserveResponse()] * len(calls)
        await stopping


async def _reserve(served: Served) -> bookings_pb2.ReserveResponse:
    return await served.bookings.Reserve(RESERVE)


async def _is_not_serving(served: Served) -> bool:
    return bool(await health(served, NAME) == NOT_SERVING)


async def test_a_stopping_server_keeps_the_health_of_the_database() -> None:
    """One stopping replica could make a gateway report that the database is down."""
    gate = Gate()
    async with serving(gate.wait) as served:
        await served.server.health.set(DATABASE, SERVING)
        stopping = asyncio.create_task(served.server.stop())
        await until(lambda: _is_not_serving(served))
        assert await health(served, DATABASE) == SERVING
        await stopping


@pytest.mark.parametrize("grace_seconds", [None, 0.01])
async def test_a_call_that_began_never_ends_as_cancelled(grace_seconds: float | None) -> None:
    """A call that began could be sent again, and be done twice."""
    gate = Gate()
    async with serving(gate.wait) as served:
        call = served.bookings.Reserve(RESERVE)
        await gate.entered.wait()
        await served.server.grpc.stop(grace_seconds)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_whose_inner_task_is_cancelled_does_not_end_as_cancelled() -> None:
    """A call that began could be sent again because of a defect inside it."""

    async def lose(request: Any, context: Context) -> None:
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost

    async with serving(lose) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.Reserve(RESERVE, timeout=0.2)
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_request_that_is_too_large_is_refused() -> None:
    """One huge message could fill the memory."""
    servicer = scripted()
    request = bookings_pb2.ReserveRequest(event_id=1, user_id="x" * MAX_MESSAGE_BYTES)
    async with serving(servicer=servicer) as served:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.Reserve(request)
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert servicer.requests == []


async def test_the_excess_is_refused_at_once() -> None:
    """Calls could wait in a queue past their deadlines."""
    gate = Gate()
    async with serving(gate.wait, concurrency=1) as served:
        first = served.bookings.GetAvailability(AVAILABILITY)
        await gate.entered.wait()
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await served.bookings.GetAvailability(AVAILABILITY)
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        gate.opened.set()
        await first
        await served.bookings.GetAvailability(AVAILABILITY)


async def test_streams_and_calls_do_not_take_each_others_places() -> None:
    """Streams, which last, would keep everybody from booking."""
    gate = Gate()
    async with serving(concurrency=1, streams=2) as served:
        add = waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server
        add(Endless(gate), served.server.grpc)  # type: ignore[abstract,unused-ignore]
        streams = [watch(served) for _ in range(2)]
        for stream in streams:
            await stream.read()
        await served.bookings.Reserve(RESERVE)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await watch(served).read()
        assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        streams[0].cancel()
        await gate.entered.wait()
        await watch(served).read()


async def test_a_server_with_too_many_calls_answers_health_checks() -> None:
    """An orchestrator could restart every replica that a rush or a slow database has filled."""
    gate = Gate()
    async with serving(gate.wait, concurrency=1, streams=1) as served:
        add = waiting_list_pb2_grpc.add_WaitingListServiceServicer_to_server
        add(Endless(gate), served.server.grpc)  # type: ignore[abstract,unused-ignore]
        stream, call = watch(served), served.bookings.GetAvailability(AVAILABILITY)
        await stream.read()
        await gate.entered.wait()
        with pytest.raises(grpc.aio.AioRpcError):
            await served.bookings.GetAvailability(AVAILABILITY)
        assert await health(served) == SERVING
        gate.opened.set()
        await call


class Endless(waiting_list_pb2_grpc.WaitingListServiceServicer):
    """Streams one change, and stays open; enters the gate when a client has gone."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    async def WatchWaitingList(self, request: Any, context: Context) -> Any:  # noqa: N802
        """See Endless."""
        try:
            yield waiting_list_pb2.WatchWaitingListResponse()
            await self.gate.opened.wait()
        finally:
            self.gate.entered.set()


def watch(served: Served) -> Any:
    """Opens a stream."""
    stub: Any = waiting_list_pb2_grpc.WaitingListServiceStub(served.channel)
    request = waiting_list_pb2.WatchWaitingListRequest(event_id="jazz")
    return stub.WatchWaitingList(request, metadata=[("authorization", f"Service {KEY}")])


async def test_the_health_of_the_database_is_kept_up_to_date() -> None:
    """The service could report a working database while it is down, or the reverse."""
    answers = [False]
    looked = asyncio.Event()

    async def is_reachable() -> bool:
        looked.set()
        return answers[-1]

    async with serving() as served:
        watching = asyncio.create_task(served.server.watch_database(is_reachable))
        await looked.wait()
        await until(lambda: _is_database(served, NOT_SERVING))
        assert await health(served) == SERVING, "reads of what is known may still be served"
        answers.append(True)
        await until(lambda: _is_database(served, SERVING))
        watching.cancel()


async def _is_database(served: Served, status: int) -> bool:
    return bool(await health(served, DATABASE) == status)
