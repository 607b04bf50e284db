"""Starts, serves and ends the process of a service: the wiring that all services share."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import uvloop

from boxoffice.audit.v1 import audit_pb2, audit_pb2_grpc
from boxoffice.rest.v1 import batch_pb2_grpc
from services.kit.audit.log import AuditLog
from services.kit.audit.servicer import AuditServicer
from services.kit.auth.authentication import Authenticator
from services.kit.auth.issuer import Issuer
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from services.kit.database import pool_metrics, postgres
from services.kit.process import failpoints, logging, metrics
from services.kit.process.environment import refuse
from services.kit.process.lifetime import tune_garbage_collection, wait_for_termination
from services.kit.process.settings import ServiceSettings
from services.kit.process.workers import repeat, running
from services.kit.rpc.errors import StartError
from services.kit.server import interceptors
from services.kit.server.auditing import Auditing
from services.kit.server.batch import PATH as BATCH
from services.kit.server.batch import BatchServicer, Handler
from services.kit.server.server import Server
from services.kit.server.traces import Traces

PREPARE_SECONDS = 2.0
"""How long a service that starts waits for its database; without one it answers nevertheless."""

SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def run(
    name: str,
    settings: type[SettingsT],
    serving: Callable[[SettingsT], AbstractAsyncContextManager[int]],
) -> None:
    """Serves until SIGTERM or SIGINT. Exits with a message if the service may not start."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(name, settings.load(), serving))
    except StartError as error:
        sys.exit(refuse(f"Boxoffice {name}", error))


class Service:
    """A service under construction: a listening server, and its authenticator.

    Add servicers to `grpc`, then enter `serve`.
    """

    def __init__(self, settings: ServiceSettings, issuer: Issuer) -> None:
        """Listens on the address of the settings. Raises CannotListenError."""
        self._settings = settings
        self._authenticator = Authenticator(
            open_access=settings.open_access,
            service_key=settings.service_key,
            second_service_key=settings.second_service_key,
            issuer=issuer,
        )
        self._auditing, self._spans = Auditing(), settings.open_spans()
        self._handlers: dict[str, Handler] = {}
        traces = (Traces(self._spans, without=BATCH),) if self._spans else ()
        layers = (
            *interceptors.layers(
                self._authenticator, log_sample=settings.log_sample, traces=traces
            ),
            self._auditing,
        )
        self._server = Server(layers, reflect=settings.reflection, tls=settings.tls)
        self._port = self._server.listen(settings.listen)
        self.grpc = self._server.grpc
        self.is_stopping = self._server.is_stopping

    def add_batched(self, handlers: Mapping[str, Handler]) -> None:
        """Has BatchService serve methods by their handlers."""
        self._handlers |= handlers

    def add_audit(self, pool: postgres.Pool, name: audit_pb2.AuditedService.ValueType) -> None:
        """Records audited calls in the schema of the pool, and serves their log as `name`."""
        self._auditing.log = AuditLog(pool)
        servicer = AuditServicer(self._auditing.log, name)
        audit_pb2_grpc.add_AuditServiceServicer_to_server(servicer, self.grpc)

    @contextlib.asynccontextmanager
    async def serve(
        self, pools: Sequence[postgres.Pool], *workers: Coroutine[Any, Any, None]
    ) -> AsyncIterator[int]:
        """Accepts calls and runs workers while the block runs; yields the port.

        Connects and gets the keys of tokens first: a replica is called as soon as it accepts calls.
        """
        await asyncio.gather(
            self._authenticator.prepare(),
            *(postgres.wait_until_reachable(pool, seconds=PREPARE_SECONDS) for pool in pools),
        )
        if self._handlers:
            self._serve_batches()
        await self._server.start()
        with pool_metrics.exposed(pools):
            async with running(
                self._server.watch_database(lambda: postgres.are_reachable(pools)),
                repeat(self._authenticator.refresh, every_seconds=REFRESH_SECONDS),
                *workers,
            ):
                try:
                    yield self._port
                finally:
                    await self._server.stop()
                    if self._spans:
                        await asyncio.to_thread(self._spans.close)

    def _serve_batches(self) -> None:
        servicer = BatchServicer(
            self._authenticator,
            self._handlers,
            log_sample=self._settings.log_sample,
            spans=self._spans,
        )
        batch_pb2_grpc.add_BatchServiceServicer_to_server(servicer, self.grpc)


async def _run(
    name: str,
    settings: SettingsT,
    serving: Callable[[SettingsT], AbstractAsyncContextManager[int]],
) -> None:
    logging.configure(name, settings.log_level)
    failpoints.arm(settings.failpoints)
    metrics.expose(settings.metrics_listen)
    async with serving(settings):
        tune_garbage_collection()
        await wait_for_termination()
