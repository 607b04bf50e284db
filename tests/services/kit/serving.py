"""A server of kit with a scripted servicer."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from boxoffice.events.v1 import catalogue_pb2
from services.kit.auth.authentication import Authenticator
from services.kit.rpc.channel import open_channel
from services.kit.server import interceptors
from services.kit.server.server import Server
from services.kit.tls.files import TlsFiles
from services.kit.tls.grpc_channel import client_tls

NAME = bookings_pb2.DESCRIPTOR.services_by_name["BookingsService"].full_name
KEY = "services-secret"
AVAILABILITY = bookings_pb2.GetAvailabilityRequest(event_id=1)
RESERVE = bookings_pb2.ReserveRequest(event_id=1, user_id="ada")
APPLY = inventory_pb2.ApplyEventRequest(state=catalogue_pb2.EventState(event_id=1, revision=1))

Context = grpc.aio.ServicerContext[Any, Any]
Script = Callable[[Any, Context], Awaitable[None]]


async def nothing(request: Any, context: Context) -> None:
    """Does nothing, so that the call succeeds."""


@dataclass
class Scripted(
    bookings_pb2_grpc.BookingsServiceServicer, inventory_pb2_grpc.InventoryServiceServicer
):
    """Runs the script for every call, and records the requests."""

    script: Script = nothing
    requests: list[Any] = field(default_factory=list)

    async def GetAvailability(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Returns an empty response."""
        self.requests.append(request)
        await self.script(request, context)
        return bookings_pb2.GetAvailabilityResponse()

    async def Reserve(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Returns an empty response."""
        self.requests.append(request)
        await self.script(request, context)
        return bookings_pb2.ReserveResponse()

    async def ApplyEvent(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Returns an empty response."""
        self.requests.append(request)
        await self.script(request, context)
        return inventory_pb2.ApplyEventResponse()


def scripted(script: Script = nothing) -> Scripted:
    """Returns a servicer; RPCs that it lacks are unimplemented."""
    return Scripted(script)  # type: ignore[abstract]


@dataclass
class Served:
    """A running server, its target, and stubs that call it."""

    server: Server
    target: str
    channel: grpc.aio.Channel

    @property
    def bookings(self) -> "bookings_pb2_grpc.BookingsServiceAsyncStub":
        """Returns a stub of BookingsService."""
        return bookings_pb2_grpc.BookingsServiceStub(self.channel)

    def method(self, path: str) -> Any:
        """Returns the unary method of a path, with bytes for messages."""
        call: Any = self.channel.unary_unary
        return call(path)

    @property
    def inventory(self) -> "inventory_pb2_grpc.InventoryServiceAsyncStub":
        """Returns a stub of InventoryService."""
        return inventory_pb2_grpc.InventoryServiceStub(self.channel)


@contextlib.asynccontextmanager
async def serving(
    script: Script = nothing,
    *,
    open_access: bool = True,
    service_key: str = KEY,
    reflect: bool = False,
    concurrency: int = 1024,
    streams: int = 2048,
    servicer: Scripted | None = None,
    listen: str = "127.0.0.1:0",
    tls: TlsFiles | None = None,
) -> AsyncIterator[Served]:
    """Serves a scripted servicer while the block runs; stops it without a drain.

    With `tls` the channel shows the certificate of the server.
    """
    authenticator = Authenticator(open_access=open_access, service_key=service_key)
    layers = interceptors.layers(authenticator, log_sample=1)
    server = Server(layers, reflect=reflect, concurrency=concurrency, streams=streams, tls=tls)
    servicer = servicer or scripted(script)
    bookings_pb2_grpc.add_BookingsServiceServicer_to_server(servicer, server.grpc)
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(servicer, server.grpc)
    target = f"127.0.0.1:{server.listen(listen)}"
    await server.start()
    try:
        plain = grpc.aio.insecure_channel(target) if tls is None else None
        async with plain or open_channel(target, client_tls(tls)) as channel:
            yield Served(server, target, channel)
    finally:
        await server.grpc.stop(None)
