"""Limits of connections, streams, addresses and callers."""

from collections.abc import Callable
from dataclasses import replace

from limits.aio.strategies import RateLimiter

from gateway.admission.gate import Admission, ClientLimits, CredentialCheck, RateLimits
from gateway.contract.bindings import Binding
from gateway.http.client_address import ClientAddresses
from gateway.http.middleware.stream_limit import StreamLimit
from gateway.http.server import file_descriptors
from gateway.http.server.limits import LIMITS, Limits
from gateway.settings import Settings
from services.kit.auth.authentication import Authenticator


def limits_of(settings: Settings, descriptors: int) -> Limits:
    """Returns the limits of connections and streams, lowered to what file descriptors allow."""
    connections, streams = file_descriptors.affordable(
        settings.max_connections, settings.max_streams, descriptors
    )
    own = settings.address_connections or max(1, connections // 4)
    return replace(LIMITS, connections=connections, address_connections=own, streams=streams)


def stream_limit(settings: Settings, limits: Limits) -> StreamLimit:
    """Returns the limit on streams, of all clients and of each address."""
    return StreamLimit(
        ClientAddresses(settings.trusted_proxies, settings.proxy_header),
        max_streams=min(settings.max_streams, limits.streams),
        address_streams=settings.address_streams,
    )


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


def admissions(
    settings: Settings, authenticator: Authenticator, counters: RateLimiter
) -> Callable[[Binding], Admission]:
    """Returns a function that makes the admission of an endpoint."""
    if not settings.rate_limits:
        return lambda binding: CredentialCheck(authenticator, binding)
    limits = client_limits(settings, authenticator, counters)
    return lambda binding: RateLimits(limits, binding, counters)
