"""The gRPC server of a service: binds, serves with health and reflection, drains, stops."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from boxoffice.client import MAX_MESSAGE_BYTES
from services.kit.process import loopback, ports
from services.kit.process.ports import CannotListenError
from services.kit.server.capacity import Capacity
from services.kit.server.interceptors import Interceptor, Layer
from services.kit.server.reflection import add_reflection
from services.kit.tls.files import TlsFiles
from services.kit.tls.grpc_server import port_credentials, self_call, server_tls

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
DATABASE = "database"
"""Name under which the health service reports whether the database answers."""

SPARE_CALLS = 32
"""Places for health checks, and for calls that are being refused. Without them an orchestrator
would get no answer from a server that has too many calls, and restart it."""

DRAIN_SECONDS = 0.3
GRACE_SECONDS = 5.0
WATCH_SECONDS = 1.0


class Server:
    """A gRPC server with health, optional reflection, and graceful shutdown.

    Add servicers to `grpc` before `start`. The server works on at most `concurrency` calls and
    `streams` streams of responses at once; it refuses the excess instead of queueing it. Without
    `tls` nothing is encrypted.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        reflect: bool = False,
        concurrency: int = 1024,
        streams: int = 2048,
        tls: TlsFiles | None = None,
    ) -> None:
        """Raises UnusableFileError for files of TLS that cannot be used."""
        self._tls = None if tls is None else server_tls(tls)
        self._self_call = None if tls is None else self_call(tls)
        self._services: list[str] = []
        self._reflect = reflect
        self._address = ""
        self.is_stopping = asyncio.Event()
        """Set when `stop` begins: streams end then, so that their clients go elsewhere."""
        self.grpc = grpc.aio.server(
            interceptors=[Interceptor((Capacity(calls=concurrency, streams=streams), *layers))],
            maximum_concurrent_rpcs=concurrency + streams + SPARE_CALLS,
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
        """Binds `host:port` and returns the port; `localhost` is bound on all of its addresses.

        Waits a moment for a port that is taken. Raises CannotListenError.
        """
        host, port = ports.split(address)
        first, *others = loopback.addresses(host)
        bound = self._bind(first, port, patience_seconds)
        self._address = ports.join(first, bound)
        # A port that the system chose may be taken on the other addresses: the first one is enough.
        with contextlib.suppress(*(CannotListenError,) if port == 0 else ()):
            for other in others:
                self._bind(other, bound, 0 if port == 0 else patience_seconds)
        return bound

    async def start(self) -> None:
        """Starts to accept calls."""
        if self._reflect:
            add_reflection(self._services, self.grpc)
        await self.grpc.start()
        for service in ("", *self._services):
            await self.health.set(service, SERVING)

    async def stop(self) -> None:
        """Refuses new calls, lets those in flight finish, and stops.

        First reports NOT_SERVING and waits a moment, so that load balancers stop sending calls.
        Then gRPC closes the connections: a call that arrives later ends as CANCELLED before it
        began, and our channels send it again. The health of the database is left as it is.
        """
        for service in ("", *self._services):
            await self.health.set(service, NOT_SERVING)
        self.is_stopping.set()
        # Not `wait_for_termination` of gRPC: cancelling it would break the stop below.
        await asyncio.sleep(DRAIN_SECONDS)
        # An overloaded server refuses this call, as it refuses the others that wait.
        with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._take_what_arrived()
        await self.grpc.stop(GRACE_SECONDS)

    async def watch_database(self, is_reachable: Callable[[], Awaitable[bool]]) -> None:
        """Updates the health of DATABASE once a second, until cancelled."""
        while True:
            reachable = await is_reachable()
            await self.health.set(DATABASE, SERVING if reachable else NOT_SERVING)
            await asyncio.sleep(WATCH_SECONDS)

    def _register(self, service: str, handlers: Mapping[str, object]) -> None:
        """Records the name of an added service.

        Its methods stay with the service's generic handler, which has them too: so all methods
        share one queue, in the order of arrival, as _take_what_arrived needs.
        """
        self._services.append(service)

    async def _take_what_arrived(self) -> None:
        """Waits until gRPC has handed over every call that has arrived; a stop cancels the others.

        gRPC hands calls over one after another, slowly on a busy machine. So this makes a call of
        its own, which gRPC hands over after all those that arrived before it.
        """
        async with self._channel_to_itself() as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            await stub.Check(health_pb2.HealthCheckRequest())

    def _channel_to_itself(self) -> grpc.aio.Channel:
        options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
        if self._self_call is None:
            return grpc.aio.insecure_channel(self._address, options)
        credentials, name = self._self_call.current()
        options.append(("grpc.ssl_target_name_override", name))
        return grpc.aio.secure_channel(self._address, credentials, options)

    def _bind(self, host: str, port: int, patience_seconds: float) -> int:
        address = ports.join(host, port)
        try:
            # Checked first, as gRPC does not report why it cannot bind a port.
            ports.retry_while_taken(
                lambda: ports.check(host, port), patience_seconds=patience_seconds
            )
            if self._tls is not None:
                return self.grpc.add_secure_port(address, port_credentials(self._tls))
            return self.grpc.add_insecure_port(address)
        except OSError as error:
            raise CannotListenError(address, ports.reason(error, port)) from error
        except RuntimeError as error:
            raise CannotListenError(address, "gRPC could not bind it") from error
