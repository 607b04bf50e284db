"""Channels to the services, and what knows callers through them."""

import contextlib
from collections.abc import AsyncIterator, Mapping

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from gateway.admission.credentials import PublicIssuer
from gateway.services import AUDIT, IDENTITY, SERVICES, process_of
from gateway.settings import Settings
from services.kit.auth.authentication import Authenticator
from services.kit.auth.issuer_client import IssuerClient
from services.kit.rpc.channel import open_channel
from services.kit.tls.grpc_channel import client_tls

Channels = Mapping[ServiceDescriptor, grpc.aio.Channel]


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


def by_process(channels: Channels) -> Mapping[str, grpc.aio.Channel]:
    """Maps the name of each process to a channel to it."""
    return {process_of(service): channel for service, channel in channels.items()}


def credentials(channels: Channels, *, open_access: bool) -> Authenticator:
    """Returns the check of credentials; the services decide what a credential allows."""
    # The services also decide which keys are strong enough for production.
    identity = IssuerClient(channels[IDENTITY], "", environment="development")
    return Authenticator(issuer=PublicIssuer(identity), open_access=open_access, service_key="")
