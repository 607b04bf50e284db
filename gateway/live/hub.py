"""The hub: which events and queues are watched."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial

from gateway.http import metrics
from gateway.live.delivery import Delivery
from gateway.live.followed import Followed
from gateway.live.following import SeatFollowing
from gateway.live.pace import PACE, Pace
from gateway.live.queues.following import QueueFollowing
from gateway.live.queues.source import QueueSource
from gateway.live.source import Source
from services.kit.process.workers import running


class Hub:
    """Follows the seats and the queues of events, and brings all clients up to date."""

    def __init__(self, source: Source, queue_source: QueueSource, pace: Pace) -> None:
        self.delivery = Delivery(pace)
        seats = partial(SeatFollowing, source=source, delivery=self.delivery, pace=pace)
        queues = partial(QueueFollowing, source=queue_source, delivery=self.delivery, pace=pace)
        self.seats: Followed[SeatFollowing] = Followed(seats, pace, metrics.LIVE_EVENTS)
        self.queues: Followed[QueueFollowing] = Followed(queues, pace, metrics.LIVE_QUEUES)


@contextlib.asynccontextmanager
async def open_hub(
    source: Source, queue_source: QueueSource, pace: Pace = PACE
) -> AsyncIterator[Hub]:
    """Opens a hub, which works during the block."""
    hub = Hub(source, queue_source, pace)
    async with running(hub.delivery.run()):
        try:
            yield hub
        finally:
            await hub.seats.close()
            await hub.queues.close()
