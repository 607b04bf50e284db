"""The rooms that tell of changes: live updates, the feed and webhooks."""

import contextlib
from collections.abc import AsyncIterator

from boxoffice.bookings.v1 import feed_pb2_grpc, live_pb2_grpc, webhooks_pb2_grpc
from services.bookings.catalogue.availability import Availability
from services.bookings.feed.changes import Changes
from services.bookings.feed.distributed_changes import DistributedChanges
from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.feed.servicer import FeedServicer
from services.bookings.feed.tail import Tail
from services.bookings.live.live import Live
from services.bookings.live.servicer import LiveServicer
from services.bookings.webhooks import messages
from services.bookings.webhooks.deliveries import Deliveries
from services.bookings.webhooks.letters import WebhookLetters
from services.bookings.webhooks.sending import open_sender
from services.bookings.webhooks.servicer import WebhooksServicer
from services.bookings.webhooks.webhooks import Webhooks
from services.bookings.wiring.core import Core, Workers
from services.kit.process.workers import repeat

DELIVERING = 4
"""Webhooks that changes are sent to at once."""


def serve_live(core: Core) -> None:
    """Serves the live updates of seats."""
    live = LiveServicer(Live(core.pool, core.tail), Availability(core.inventory, core.catalogue))
    live_pb2_grpc.add_LiveServiceServicer_to_server(live, core.service.grpc)


@contextlib.asynccontextmanager
async def changes_sent(core: Core) -> AsyncIterator[Workers]:
    """Serves the feed and webhooks while the block runs; yields their workers."""
    pool, server = core.pool, core.service.grpc
    public_only = core.settings.environment == "production"
    async with open_sender(public_only=public_only) as sender:
        is_distributed = core.settings.distributed
        tail = (DistributedTail if is_distributed else Tail)(pool)
        changes = (DistributedChanges if is_distributed else Changes)(pool)
        webhooks = WebhooksServicer(Webhooks(pool), changes, public_only=public_only)
        feed_pb2_grpc.add_FeedServiceServicer_to_server(FeedServicer(changes, tail), server)
        webhooks_pb2_grpc.add_WebhooksServiceServicer_to_server(webhooks, server)
        deliveries = Deliveries(pool, changes, sender)
        letters = WebhookLetters(pool, core.mailing(messages.notice))
        yield (
            repeat(tail.advance, every_seconds=tail.EVERY_SECONDS),
            repeat(tail.forget, every_seconds=60),
            repeat(deliveries.measure, every_seconds=15),
            repeat(letters.send, every_seconds=1),
            *(repeat(deliveries.deliver, every_seconds=1) for _ in range(DELIVERING)),
        )
