"""Webhooks of an owner, delivered when a test says so, to a receiver of the test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from services.bookings.feed.changes import Changes
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.bookings.webhooks.deliveries import Deliveries
from services.bookings.webhooks.sending import open_sender
from services.bookings.webhooks.webhooks import WebhookFields, Webhooks
from services.kit.database.postgres import Pool
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.tails import FEED_TAILS
from tests.services.bookings.webhooks.receiver import Receiver, receiving
from tests.services.issuer import account

OWNER = account("owner")


@dataclass
class Box:
    """An event of the owner, and what tells its receiver of changes."""

    pool: Pool
    reservations: Reservations
    webhooks: Webhooks
    deliveries: Deliveries
    tail: Tail

    async def register(self, url: str, *types: str) -> tuple[UUID, str]:
        """Creates a webhook; returns its id and its secret."""
        webhook, secret = await self.webhooks.create(OWNER, WebhookFields(url, types))
        return webhook.id, secret

    async def book(self, *users: str) -> None:
        """Books a seat for each user, one after another, and moves the feed."""
        for user in users:
            await booked(self.reservations, [seat(1, user)])
        await self.tail.advance()

    async def deliver(self) -> None:
        """Delivers all that is due."""
        while await self.deliveries.deliver():
            pass

    async def later(self) -> None:
        """Lets the pause after a failure pass."""
        await self.execute("UPDATE webhooks SET due_at = clock_timestamp()")

    async def execute(self, statement: str) -> None:
        """Runs a statement."""
        async with self.pool.connection() as connection:
            await connection.execute(statement.encode())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Runs a receiver that accepts all."""
    async with receiving() as running:
        yield running


@pytest.fixture
async def box(pool: Pool, inventory: Inventory, reservations: Reservations) -> AsyncIterator[Box]:
    """Opens an event of the owner and the workers, as in development."""
    await inventory.apply(concert(1, organizer_id=OWNER))
    async with open_sender(public_only=False) as sender:
        deliveries = Deliveries(pool, Changes(pool), sender)
        opened = Box(pool, reservations, Webhooks(pool), deliveries, FEED_TAILS[0](pool))
        await opened.tail.advance()
        yield opened
