"""Runs the gateway: `python -m gateway`. Wiring only."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import grpc
import uvloop
from google.protobuf.descriptor import ServiceDescriptor
from limits.aio.strategies import RateLimiter

from gateway.admission.counters import open_counters
from gateway.admission.credentials import PublicIssuer
from gateway.admission.gate import Admission, ClientLimits, CredentialCheck, RateLimits
from gateway.contract.bindings import Binding
from gateway.contract.reader import read_bindings
from gateway.endpoint import Endpoint
from gateway.http.app import App
from gateway.http.client_address import ClientAddresses
from gateway.http.middleware.stack import middleware_stack
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.routing import Route
from gateway.http.server import file_descriptors
from gateway.http.server.limits import LIMITS, Limits
from gateway.http.server.listening import listen
from gateway.http.server.server import serving
from gateway.live.event_stream import WATCH_EVENT, WatchCall
from gateway.live.hub import Hub, open_hub
from gateway.live.queues.source import QueueSource
from gateway.live.source import Source
from gateway.operations import health
from gateway.pages import site
from gateway.reference import docs_page
from gateway.rpc.batch import BatchedRpc, Batches
from gateway.rpc.call import Call, RetryBudget, Rpc, UnaryCall, rpc
from gateway.rpc.merging import MergedAudit
from gateway.rpc.stream import StreamingCall
from gateway.services import AUDIT, IDENTITY, LIVE, QUEUE, SERVICES, process_of
from gateway.settings import Settings
from gateway.sockets import routes as socket_routes
from gateway.sockets.routes import Sockets
from gateway.sockets.server import open_server
from services.kit.auth.authentication import Authenticator
from services.kit.auth.issuer_client import IssuerClient
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from services.kit.process import logging
from services.kit.process.environment import refuse
from services.kit.process.lifetime import tune_garbage_collection, wait_for_termination
from services.kit.process.workers import repeat, running
from services.kit.rpc.channel import open_channel
from services.kit.rpc.errors import StartError
from services.kit.tls.grpc_channel import client_tls
from services.kit.tls.http_server import server_context

Channels = Mapping[ServiceDescriptor, grpc.aio.Channel]


def application(
    settings: Settings,
    channels: Channels,
    authenticator: Authenticator,
    counters: RateLimiter,
    *,
    hub: Hub,
    live_sockets: Sockets,
    limits: Limits = LIMITS,
) -> App:
    """Puts the gateway together: every route inside the middleware."""
    bindings = read_bindings((*channels, AUDIT))
    admission = _admissions(settings, authenticator, counters)
    endpoints = _endpoints(bindings, _calls(settings, channels, hub), admission)
    return App(
        (
            *health.routes(_by_name(channels)),
            *site.routes(
                open_access=settings.open_access,
                mailbox_url=settings.mailbox_url,
                payment_providers=settings.payment_providers,
            ),
            *docs_page.routes(
                bindings,
                open_access=settings.open_access,
                mailbox_url=settings.mailbox_url,
                scheme="https" if settings.http_tls else "http",
            ),
            *socket_routes.routes(live_sockets, has_cors=bool(settings.cors_origins)),
            *endpoints,
        ),
        middleware_stack(
            log_sample=settings.log_sample,
            slow_seconds=settings.slow_seconds,
            cors_origins=settings.cors_origins,
            max_requests=settings.max_requests,
            streams=stream_limit(settings, limits),
            log_requests=settings.log_requests,
            hsts_seconds=settings.hsts_seconds if settings.http_tls else 0,
        ),
    )


async def run(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """Serves until SIGTERM or SIGINT."""
    logging.configure("gateway", settings.log_level)
    limits = limits_of(settings, file_descriptors.raise_limit())
    async with (
        open_channels(settings) as channels,
        open_counters(settings.rate_limits_url) as counters,
        open_hub(*live_sources(settings, channels)) as hub,
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


def limits_of(settings: Settings, descriptors: int) -> Limits:
    """Returns the limits of connections and streams, lowered to what file descriptors allow."""
    connections, streams = file_descriptors.affordable(
        settings.max_connections, settings.max_streams, descriptors
    )
    own = settings.address_connections or max(1, connections // 4)
    return replace(LIMITS, connections=connections, address_connections=own, streams=streams)


def live_sources(settings: Settings, channels: Channels) -> tuple[Source, QueueSource]:
    """Returns where live updates come from: those of seats, and those of queues."""
    seconds = settings.deadline_seconds
    return Source(channels[LIVE], seconds=seconds), QueueSource(channels[QUEUE], seconds=seconds)


def socket_io(
    settings: Settings, hub: Hub, authenticator: Authenticator, counters: RateLimiter
) -> Sockets:
    """Returns the sockets of live updates, which pages of any origin may use by default."""
    server = open_server(hub, authenticator, origins=[] if settings.cors_origins else "*")
    limits = client_limits(settings, authenticator, counters) if settings.rate_limits else None
    return Sockets(server, limits, max_sockets=settings.max_streams)


def client_limits(
    settings: Settings, authenticator: Authenticator, counters: RateLimiter
) -> ClientLimits:
    """Returns the limits of each address and each caller."""
    return ClientLimits(
        authenticator,
        ClientAddresses(settings.trusted_proxies, settings.proxy_header),
        counters,
        caller_requests=settings.caller_requests_per_minute,
        address_requests=settings.address_requests_per_minute,
    )


def stream_limit(settings: Settings, limits: Limits) -> StreamLimit:
    """Returns the limit on streams, of all clients and of each address."""
    return StreamLimit(
        ClientAddresses(settings.trusted_proxies, settings.proxy_header),
        max_streams=min(settings.max_streams, limits.streams),
        address_streams=settings.address_streams,
    )


def credentials(channels: Channels, *, open_access: bool) -> Authenticator:
    """Returns the check of credentials; the services decide what a credential allows."""
    # The services also decide which keys are strong enough for production.
    identity = IssuerClient(channels[IDENTITY], "", environment="development")
    return Authenticator(issuer=PublicIssuer(identity), open_access=open_access, service_key="")


@contextlib.asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Channels]:
    """Opens a channel to each service of the contract."""
    targets = {
        "events": settings.events_target,
        "bookings": settings.bookings_target,
        "accounts": settings.accounts_target,
    }
    tls = client_tls(settings.channel_tls)
    async with contextlib.AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(
                open_channel(targets[process_of(service)], tls)
            )
            for service in SERVICES
            if service is not AUDIT
        }


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


def _by_name(channels: Channels) -> Mapping[str, grpc.aio.Channel]:
    """Maps the name of each process to a channel to it."""
    return {process_of(service): channel for service, channel in channels.items()}


def _endpoints(
    bindings: Sequence[Binding],
    find_call: Callable[[Binding], Call],
    admission: Callable[[Binding], Admission],
) -> Sequence[Route]:
    return [
        Route(
            binding.http_method,
            binding.path,
            Endpoint(binding, find_call(binding), admission(binding)),
            media_type=binding.media_type.encode(),
            location=binding.rule.location,
            has_encoding=binding.has_encoding,
            max_body_bytes=binding.rule.max_body_bytes,
            is_stream=binding.is_stream,
        )
        for binding in bindings
    ]


def _admissions(
    settings: Settings, authenticator: Authenticator, counters: RateLimiter
) -> Callable[[Binding], Admission]:
    if not settings.rate_limits:
        return lambda binding: CredentialCheck(authenticator, binding)
    limits = client_limits(settings, authenticator, counters)
    return lambda binding: RateLimits(limits, binding, counters)


def _calls(settings: Settings, channels: Channels, hub: Hub) -> Callable[[Binding], Call]:
    """Returns a function that finds how the RPC of a binding is called."""
    seconds = settings.deadline_seconds
    unary = partial(UnaryCall, budget=RetryBudget(), deadline_seconds=seconds)
    find_rpc = _rpcs(settings, channels)
    event_streams: Mapping[str, Call] = {WATCH_EVENT: WatchCall(hub)}

    def find(binding: Binding) -> Call:
        if binding.has_events:
            return event_streams[binding.rpc_path]
        if binding.is_stream:
            channel = channels[binding.rpc.containing_service]
            return StreamingCall(binding, channel, first_seconds=seconds)
        if binding.rpc.containing_service is AUDIT:
            named = _by_name(channels).items()
            return MergedAudit({name: unary(binding, rpc(binding, each)) for name, each in named})
        return unary(binding, find_rpc(binding))

    return find


def _rpcs(settings: Settings, channels: Channels) -> Callable[[Binding], Rpc]:
    """Returns a function that finds the RPC of a binding; RPCs of a service share batches."""
    batches = {
        name: Batches(name, channel, at_once=settings.batch_size, waiting=settings.max_waiting)
        for name, channel in _by_name(channels).items()
    }

    def find(binding: Binding) -> Rpc:
        service = binding.rpc.containing_service
        unary = rpc(binding, channels[service])
        if not binding.rule.batched or settings.batch_size <= 1:
            return unary
        return BatchedRpc(binding, batches[process_of(service)], unary)

    return find


if __name__ == "__main__":
    sys.exit(main())
