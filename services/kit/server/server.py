"""The life of a service: build, serve, drain on SIGTERM, stop."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, cast

import grpc
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2

from services.kit.server import loopback, ports
from services.kit.server.interceptors import Interceptor, Layer
from services.kit.server.ports import CannotListenError

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
    """A gRPC server with health, optional reflection, and an orderly end.

    Add servicers to `grpc` before `start`. The server works on at most `concurrency` calls at
    once; it refuses the excess instead of queueing it.
    """

    def __init__(
        self, layers: Sequence[Layer], *, reflect: bool = False, concurrency: int = 1024
    ) -> None:
        self._services: list[str] = []
        self._reflect = reflect
        self._address = ""
        self.grpc = grpc.aio.server(
            interceptors=[Interceptor(layers)],
            maximum_concurrent_rpcs=concurrency,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        self.grpc.add_registered_method_handlers = self._register  # type: ignore[assignment]
        self.health = HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self.grpc)

    def listen(self, address: str, *, patience_seconds: float = ports.PATIENCE_SECONDS) -> int:
        """Binds `host:port`, on this machine all of its addresses, and returns the port.

        Waits a moment for a port that is taken. Raises CannotListenError.
        """
        host, port = ports.parts(address)
        first, *others = loopback.addresses(host)
        bound = self._bind(first, port, patience_seconds)
        self._address = ports.joined(first, bound)
        # A port that nobody chose is only known by the first address.
        with contextlib.suppress(*(CannotListenError,) if port == 0 else ()):
            for other in others:
                self._bind(other, bound, 0 if port == 0 else patience_seconds)
        return bound

    async def start(self) -> None:
        """Starts to accept calls."""
        if self._reflect:
            _add_reflection((*self._services, reflection.SERVICE_NAME), self.grpc)
        await self.grpc.start()
        for service in ("", *self._services):
            await self.health.set(service, SERVING)

    async def stop(self) -> None:
        """Turns new calls away, lets those in flight finish, and stops.

        Balancers that watch our health get a moment to see NOT_SERVING. Then connections are told
        to go away; a call that arrives later than that ends as CANCELLED before it began, and
        channels of ours send it again. The health of the database goes on: it says nothing of us.
        """
        for service in ("", *self._services):
            await self.health.set(service, NOT_SERVING)
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

    def _register(self, service: str, handlers: Mapping[str, object]) -> None:
        """Notes the name of a service that is added.

        Its methods stay with the service's generic handler, which has them too: so all methods
        share one queue, in the order of arrival, as _take_what_arrived needs.
        """
        self._services.append(service)

    async def _take_what_arrived(self) -> None:
        """Returns once gRPC has handed over every call that had arrived; a stop cancels the others.

        gRPC hands calls over one after another, which a busy machine makes slow. A call of our own
        is handed over after all those that arrived before it.
        """
        options = [("grpc.enable_http_proxy", 0)]
        async with grpc.aio.insecure_channel(self._address, options) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest())

    def _bind(self, host: str, port: int, patience_seconds: float) -> int:
        address = ports.joined(host, port)
        try:
            # Asked first, as gRPC tells neither whether nor why it cannot have the port.
            ports.patiently(lambda: ports.check(host, port), patience_seconds=patience_seconds)
            return self.grpc.add_insecure_port(address)
        except OSError as error:
            raise CannotListenError(address, ports.reason(error, port)) from error
        except RuntimeError as error:
            raise CannotListenError(address, "gRPC could not bind it") from error


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
    methods = {"ServerReflectionInfo": method}
    handler = grpc.method_handlers_generic_handler(REFLECTION_V1, methods)
    server.add_generic_rpc_handlers((handler,))


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
