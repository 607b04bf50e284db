"""The life of a service: build, serve, drain on SIGTERM, stop."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, cast

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2

from services.kit import ports
from services.kit.interceptors import Interceptor, Layer
from services.kit.ports import CannotListenError

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
DATABASE = "database"
"""Name under which the health service tells whether the database answers."""

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"

MAX_MESSAGE_BYTES = 1 << 20
DRAIN_SECONDS = 0.3
GRACE_SECONDS = 5.0
WATCH_SECONDS = 1.0

log = structlog.get_logger()


class Server:
    """A gRPC server with health, reflection if wanted, and an orderly end.

    `services` are the full names of those that `register` adds. At most `concurrency` calls are
    worked on at once; the excess is refused, not queued.
    """

    def __init__(
        self,
        services: Sequence[str],
        layers: Sequence[Layer],
        *,
        reflect: bool = False,
        concurrency: int = 1024,
    ) -> None:
        self._services = ("", *services)
        self._address = ""
        self._interceptor = Interceptor(layers)
        self.grpc = grpc.aio.server(
            interceptors=[self._interceptor],
            maximum_concurrent_rpcs=concurrency,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        self.health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.grpc)
        if reflect:
            health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
            _add_reflection((*services, health, reflection.SERVICE_NAME), self.grpc)

    def listen(self, address: str, *, patience_seconds: float = ports.PATIENCE_SECONDS) -> int:
        """Binds `host:port` and returns the port.

        Waits a moment for a port that is taken. Raises CannotListenError.
        """
        host, port = ports.parts(address)
        try:
            # Asked first, as gRPC tells neither whether nor why it cannot have the port.
            ports.patiently(lambda: ports.check(host, port), patience_seconds=patience_seconds)
            port = self.grpc.add_insecure_port(address)
        except OSError as error:
            raise CannotListenError(address, ports.reason(error, port)) from error
        except RuntimeError as error:
            raise CannotListenError(address, "gRPC could not bind it") from error
        self._address = f"{address.rpartition(':')[0]}:{port}"
        return port

    async def start(self) -> None:
        """Starts to accept calls."""
        await self.grpc.start()
        for service in self._services:
            await self.health.set(service, SERVING)

    async def stop(self) -> None:
        """Turns new calls away, lets those in flight finish, and stops.

        Balancers get a moment to see NOT_SERVING before connections are closed.
        """
        await self.health.enter_graceful_shutdown()
        # Not a wait for the server's termination: giving that up would break the stop below.
        await asyncio.sleep(DRAIN_SECONDS)
        # A server that has too much to do refuses our call too, and the others that wait as well.
        with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._take_what_arrived()
        await self.grpc.stop(GRACE_SECONDS)

    async def watch_database(self, is_reachable: Callable[[], Awaitable[bool]]) -> None:
        """Keeps the health of DATABASE true, looking once a second, until cancelled."""
        while True:
            reachable = await is_reachable()
            await self.health.set(DATABASE, SERVING if reachable else NOT_SERVING)
            await asyncio.sleep(WATCH_SECONDS)

    async def _take_what_arrived(self) -> None:
        """Returns once gRPC has handed over every call that reached it; a stop cancels the others.

        gRPC hands over the calls of one method one after another, which a busy machine makes slow.
        While any wait, at least one is handed over during each call of our own.
        """
        options = [("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(self._address, options) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            before = -1
            while self._interceptor.calls > before + 1:
                before = self._interceptor.calls
                await stub.Check(health_pb2.HealthCheckRequest())


@contextlib.asynccontextmanager
async def running(*workers: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs workers beside the block and cancels them at its end; one that fails ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(worker) for worker in workers}
        try:
            yield
        finally:
            await _cancel(tasks)


def collect_rarely() -> None:
    """Makes the collector of cyclic garbage run rarely, and pass over what is there by now.

    Requests leave next to no cycles behind, and each run holds all requests up: under load the
    slowest ones waited for little else.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


async def terminated() -> None:
    """Waits for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
    log.info("stopping")


def _add_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Serves reflection as v1alpha, which the library has, and as v1.

    Both have the same messages under different package names, which are not sent.
    """
    # No pool, but it has what reflection asks of one.
    symbols = cast(descriptor_pool.DescriptorPool, _Symbols())
    reflection.enable_server_reflection(services, server, symbols)
    servicer = reflection.aio.ReflectionServicer(services, symbols)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_registered_method_handlers(REFLECTION_V1, {"ServerReflectionInfo": method})


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancels until all have ended: Python 3.11 loses a cancellation that meets a result."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=1)


class _Symbols:
    """The pool of descriptors, which also finds a method by its full name.

    Python's own does not, so grpcurl could list a method but not describe it.
    """

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - as the pool
        """Finds the file of a symbol; raises KeyError."""
        pool = descriptor_pool.Default()
        try:
            return pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, method = symbol.rpartition(".")
            return pool.FindServiceByName(service).methods_by_name[method].containing_service.file

    def __getattr__(self, name: str) -> Any:
        return getattr(descriptor_pool.Default(), name)
