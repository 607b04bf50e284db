"""Runs the gateway: `python -m gateway`. What it is built of is in `wiring`."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Sequence

import uvloop

from gateway.admission.counters import open_counters
from gateway.http.server import file_descriptors
from gateway.http.server.listening import listen
from gateway.http.server.server import serving
from gateway.live.hub import open_hub
from gateway.settings import Settings
from gateway.wiring.application import application
from gateway.wiring.channels import credentials, open_channels
from gateway.wiring.limits import limits_of
from gateway.wiring.live import live_sources, socket_io
from gateway.wiring.traces import open_spans
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from services.kit.process import logging
from services.kit.process.environment import refuse
from services.kit.process.lifetime import tune_garbage_collection, wait_for_termination
from services.kit.process.workers import repeat, running
from services.kit.rpc.errors import StartError
from services.kit.tls.http_server import server_context


def main() -> int:
    """Runs the gateway; returns the exit status."""
    try:
        settings = Settings.load()
        sockets = listen(settings.host, settings.ports)
    except StartError as error:
        return refuse("Boxoffice gateway", error)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(settings, sockets))
    return 0


async def run(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """Serves until SIGTERM or SIGINT."""
    logging.configure("gateway", settings.log_level)
    limits = limits_of(settings, file_descriptors.raise_limit())
    async with (
        open_channels(settings) as channels,
        open_counters(settings.rate_limits_url) as counters,
        open_hub(*live_sources(settings, channels)) as hub,
        open_spans(settings) as spans,
    ):
        authenticator = credentials(channels, open_access=settings.open_access)
        live_sockets = socket_io(settings, hub, authenticator, counters)
        app = application(
            settings,
            channels,
            authenticator,
            counters,
            hub=hub,
            live_sockets=live_sockets,
            limits=limits,
            spans=spans,
        )
        async with (
            running(repeat(authenticator.refresh, every_seconds=REFRESH_SECONDS)),
            serving(
                app,
                sockets,
                limits,
                proxies=settings.trusted_proxies,
                drain_seconds=settings.drain_seconds,
                grace_seconds=settings.grace_seconds,
                tls=server_context(settings.http_tls) if settings.http_tls else None,
            ),
            contextlib.aclosing(live_sockets),
        ):
            tune_garbage_collection()
            await wait_for_termination()


if __name__ == "__main__":
    sys.exit(main())
