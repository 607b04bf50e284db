"""Live updates: where they come from, and the sockets that have them."""

from limits.aio.strategies import RateLimiter

from gateway.live.hub import Hub
from gateway.live.queues.source import QueueSource
from gateway.live.source import Source
from gateway.services import LIVE, QUEUE
from gateway.settings import Settings
from gateway.sockets.routes import Sockets
from gateway.sockets.server import open_server
from gateway.wiring.channels import Channels
from gateway.wiring.limits import client_limits
from services.kit.auth.authentication import Authenticator


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
