"""Streaming RPCs, from a real gRPC server to the response of their endpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from gateway.admission.gate import CredentialCheck
from gateway.endpoint import Endpoint
from gateway.http.messages import BodyStream, Response
from gateway.rpc.stream import StreamingCall
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.errors import Refusal, Unavailable, abort
from tests.gateway import sample
from tests.gateway.requests import request

TIMEOUT_SECONDS = 20
EVENT = b"data: 1\n\n"

Behaviour = Callable[[Any, Any], AsyncIterator[HttpBody]]


class Sink:
    """An outlet that keeps what it is given."""

    on_room: Callable[[], None] | None = None
    is_full = False

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.arrived = asyncio.Event()

    def write(self, data: bytes) -> None:
        """See Outlet."""
        self.parts.append(data)
        self.arrived.set()

    @property
    def protocol(self) -> asyncio.BaseProtocol:
        """See Outlet."""
        raise NotImplementedError

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """See Outlet."""
        raise NotImplementedError

    async def send_part(self, part: bytes) -> None:
        """See Outlet."""
        self.write(part)


@contextlib.asynccontextmanager
async def served(behaviour: Behaviour, first_seconds: float = 60) -> AsyncIterator[Endpoint]:
    """Runs a server whose Watch behaves so; gives the endpoint of it."""
    binding = sample.binding("Watch")
    server = grpc.aio.server()
    handler = grpc.unary_stream_rpc_method_handler(
        behaviour,
        request_deserializer=type(sample.message("WatchRequest")).FromString,
        response_serializer=HttpBody.SerializeToString,
    )
    service = binding.rpc.containing_service.full_name
    server.add_registered_method_handlers(service, {binding.rpc.name: handler})
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = StreamingCall(binding, channel, first_seconds=first_seconds)
        authenticator = Authenticator(open_access=True, service_key="")
        yield Endpoint(binding, call, CredentialCheck(authenticator, binding))
    await server.stop(0)


async def opened(endpoint: Endpoint) -> tuple[Response, BodyStream]:
    """Asks for a stream, which must open."""
    asked = request("GET", "/watches/7")._replace(variables={"watch_id": "7"})
    response = await endpoint(asked)
    assert response.stream is not None
    return response, response.stream


async def test_messages_become_parts_of_the_body() -> None:
    """A stream would lack its fields, its parts or its media type."""

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        for _ in range(2):
            yield HttpBody(data=b"data: %d\n\n" % asked.watch_id)

    async with served(watch) as endpoint:
        response, stream = await opened(endpoint)
        assert response.status == 200
        assert dict(response.headers) == {
            b"content-type": b"text/event-stream",
            b"cache-control": b"no-store",
            b"x-accel-buffering": b"no",
        }
        sink = Sink()
        await stream.pour(sink)
        assert sink.parts == [b"data: 7\n\n"] * 2


async def test_closing_a_stream_cancels_its_rpc() -> None:
    """The service would go on to write for a client that left."""
    cancelled = asyncio.Event()

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        try:
            yield HttpBody(data=EVENT)
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served(watch) as endpoint:
        _, stream = await opened(endpoint)
        sink = Sink()
        pouring = asyncio.ensure_future(stream.pour(sink))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await sink.arrived.wait()
            stream.close()
            await pouring
            await cancelled.wait()
        assert sink.parts == [EVENT]


async def test_a_refusal_before_the_first_part_has_its_own_status() -> None:
    """A client would see an empty stream, and not why."""

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        await abort(context, Unavailable())
        yield HttpBody()

    async with served(watch) as endpoint:
        response = await endpoint(request("GET", "/")._replace(variables={"watch_id": "7"}))
        assert (response.status, response.stream) == (503, None)


async def test_a_service_that_fails_later_breaks_the_stream() -> None:
    """The body would look complete."""

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        yield HttpBody(data=EVENT)
        raise ValueError("a defect")

    async with served(watch) as endpoint:
        _, stream = await opened(endpoint)
        sink = Sink()
        with pytest.raises(Refusal):
            await stream.pour(sink)
        assert sink.parts == [EVENT]


async def test_a_service_without_a_first_part_is_not_waited_for() -> None:
    """Its clients would see no status at all, and keep their slots."""

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        await asyncio.Event().wait()
        yield HttpBody()

    async with served(watch, first_seconds=0.05) as endpoint:
        response = await endpoint(request("GET", "/")._replace(variables={"watch_id": "7"}))
        assert (response.status, response.stream) == (504, None)


async def test_an_empty_stream_is_an_empty_body() -> None:
    """A stream without a message would never be answered."""

    async def watch(asked: Any, context: Any) -> AsyncIterator[HttpBody]:
        for message in list[HttpBody]():
            yield message

    async with served(watch) as endpoint:
        response = await endpoint(request("GET", "/")._replace(variables={"watch_id": "7"}))
        assert (response.status, response.body, response.stream) == (200, b"", None)
