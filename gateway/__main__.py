"""Runs the gateway: `python -m gateway`. Wiring only."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace

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
from gateway.http.limits import LIMITS, Limits
from gateway.http.middleware.stack import middleware_stack
from gateway.http.routing import Route
from gateway.http.server import file_descriptors
from gateway.http.server.listening import listen
from gateway.http.server.server import serving
from gateway.operations import health
from gateway.reference import docs_page
from gateway.rpc.batch import BatchedRpc, Batches
from gateway.rpc.call import RetryBudget, Rpc, UnaryCall, rpc
from gateway.services import (
    ACCOUNTS,
    API_KEYS,
    BOOKINGS,
    EVENTS,
    IDENTITY,
    SCREENINGS,
    SEATS,
    WAITING_LIST,
)
from gateway.settings import Settings
from services.kit.auth.authentication import Authenticator
from services.kit.auth.issuer_client import IssuerClient
from services.kit.auth.trusted_keys import REFRESH_SECONDS
from services.kit.process import logging
from services.kit.process.environment import refuse
from services.kit.process.lifetime import collect_rarely, terminated
from services.kit.process.workers import repeat, running
from services.kit.rpc.channel import open_channel
from services.kit.rpc.errors import StartError

Channels = Mapping[ServiceDescriptor, grpc.aio.Channel]


def application(
    settings: Settings, channels: Channels, authenticator: Authenticator, counters: RateLimiter
) -> App:
    """Puts the gateway together: every route inside the middleware."""
    bindings = read_bindings(channels)
    admission = _admissions(settings, authenticator, counters)
    endpoints = _endpoints(settings, bindings, channels, admission)
    shown = docs_page.routes(
        bindings, open_access=settings.open_access, mailbox_url=settings.mailbox_url
    )
    return App(
        (*health.routes(_by_name(channels)), *shown, *endpoints),
        middleware_stack(
            log_sample=settings.log_sample,
            slow_seconds=settings.slow_seconds,
            cors_origins=settings.cors_origins,
            max_requests=settings.max_requests,
            log_requests=settings.log_requests,
        ),
    )


async def run(settings: Settings, sockets: Sequence[socket.socket]) -> None:
    """Serves until SIGTERM or SIGINT."""
    logging.configure("gateway", settings.log_level)
    limits = limits_of(settings, file_descriptors.raise_limit())
    async with (
        open_channels(settings) as channels,
        open_counters(settings.rate_limits_url) as counters,
    ):
        authenticator = credentials(channels, open_access=settings.open_access)
        async with (
            running(repeat(authenticator.refresh, every_seconds=REFRESH_SECONDS)),
            serving(
                application(settings, channels, authenticator, counters),
                sockets,
                limits,
                proxies=settings.trusted_proxies,
                drain_seconds=settings.drain_seconds,
                grace_seconds=settings.grace_seconds,
            ),
        ):
            collect_rarely()
            await terminated()


def limits_of(settings: Settings, descriptors: int) -> Limits:
    """Makes the limits of connections, as far as there are file descriptors for them."""
    connections = file_descriptors.affordable(settings.max_connections, descriptors)
    own = settings.address_connections or max(1, connections // 4)
    return replace(LIMITS, connections=connections, address_connections=own)


def credentials(channels: Channels, *, open_access: bool) -> Authenticator:
    """Makes what reads credentials; what those allow is for the services to say."""
    # Which keys are good enough for production is also theirs to say.
    identity = IssuerClient(channels[IDENTITY], "", environment="development")
    return Authenticator(issuer=PublicIssuer(identity), open_access=open_access, service_key="")


@contextlib.asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Channels]:
    """Opens a channel to each service of the contract."""
    targets = {
        EVENTS: settings.events_target,
        SCREENINGS: settings.events_target,
        BOOKINGS: settings.bookings_target,
        WAITING_LIST: settings.bookings_target,
        SEATS: settings.bookings_target,
        ACCOUNTS: settings.accounts_target,
        API_KEYS: settings.accounts_target,
        IDENTITY: settings.accounts_target,
    }
    async with contextlib.AsyncExitStack() as stack:
        yield {
            service: await stack.enter_async_context(open_channel(target))
            for service, target in targets.items()
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
    """Names a channel to each process by what its services are part of."""
    return {_name(service): channel for service, channel in channels.items()}


def _name(service: ServiceDescriptor) -> str:
    """Names the process that serves a service: boxoffice.`events`.v1.EventsService."""
    return service.full_name.split(".")[1]


def _endpoints(
    settings: Settings,
    bindings: Sequence[Binding],
    channels: Channels,
    admission: Callable[[Binding], Admission],
) -> Sequence[Route]:
    budget = RetryBudget()
    find_rpc = _rpcs(settings, channels)
    return [
        Route(
            binding.http_method,
            binding.path,
            Endpoint(
                binding,
                UnaryCall(
                    binding,
                    find_rpc(binding),
                    budget,
                    deadline_seconds=settings.deadline_seconds,
                ),
                admission(binding),
            ),
            media_type=binding.media_type.encode(),
            location=binding.rule.location,
            has_encoding=binding.has_encoding,
        )
        for binding in bindings
    ]


def _admissions(
    settings: Settings, authenticator: Authenticator, counters: RateLimiter
) -> Callable[[Binding], Admission]:
    if not settings.rate_limits:
        return lambda binding: CredentialCheck(authenticator, binding)
    limits = ClientLimits(
        authenticator,
        ClientAddresses(settings.trusted_proxies, settings.proxy_header),
        counters,
        caller_requests=settings.caller_requests_per_minute,
        address_requests=settings.address_requests_per_minute,
    )
    return lambda binding: RateLimits(limits, binding, counters)


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
        return BatchedRpc(binding, batches[_name(service)], unary)

    return find


if __name__ == "__main__":
    sys.exit(main())
