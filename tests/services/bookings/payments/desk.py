"""Starts payments without a server, at a provider of the test, and works on them."""

import contextlib
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from services.bookings.asks import expect
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.payment_commands import (
    Paid,
    Refunding,
    RefundPayment,
    StartPayment,
)
from services.bookings.payments.attempts import Attempt, Attempts, Started
from services.bookings.payments.backlog import Backlog
from services.bookings.payments.looks import Looks
from services.bookings.payments.provider import Provider
from services.bookings.payments.provider_events import ProviderEvents
from services.bookings.payments.providers import Providers
from services.bookings.payments.refunds import Refunds
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.services.bookings.asking import booked, party
from tests.services.bookings.conftest import earlier


class Desk:
    """Starts payments of bookings of a concert, and works on them."""

    def __init__(
        self, pool: Pool, inventory: Inventory, office: Reservations, provider: Provider
    ) -> None:
        self._pool = pool
        self._inventory = inventory
        self._office = office
        self._provider = provider.name
        providers = Providers([provider])
        self.attempts = Attempts(pool, inventory, providers)
        self.looks = Looks(pool, self.attempts, provider)
        self.refunds = Refunds(pool, inventory, provider)
        self.backlog = Backlog(pool, providers)
        self.events = ProviderEvents(self.attempts, providers)

    async def begin(self) -> UUID:
        """Books a seat and commits an attempt to pay it; the provider is not called."""
        [booking] = await booked(self._office, [party(1, "ada")])
        command = StartPayment(1, booking.id, uuid4(), self._provider, "card")
        [outcome] = await self._inventory.decide([Ask(command)])
        return expect(outcome, Paid).payment.id

    async def start(self, payment_id: UUID) -> Started:
        """Asks the provider for the money of an attempt; raises why there is none."""
        attempt = await self.find(payment_id)
        started = (await self.attempts.start([(attempt, "")]))[payment_id]
        if isinstance(started, Exception):
            raise started
        return started

    async def find(self, payment_id: UUID) -> Attempt:
        """Finds a payment."""
        return (await self.attempts.find([payment_id]))[payment_id]

    async def refund(self, amount_minor: int | None = None) -> UUID:
        """Pays a new booking and refunds it; returns the refund, which is due."""
        payment_id = await self.begin()
        await self.start(payment_id)
        found = await self.find(payment_id)
        command = RefundPayment(1, found.booking_id, payment_id, uuid4(), amount_minor)
        [outcome] = await self._inventory.decide([Ask(command)])
        return expect(outcome, Refunding).refund.id

    async def status(self, payment_id: UUID) -> str:
        """Returns the status of a payment."""
        return (await self.find(payment_id)).status

    async def read(self, statement: str) -> list[tuple[object, ...]]:
        """Runs a statement; returns its rows."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement.encode())
            return await cursor.fetchall() if cursor.description else []

    @contextlib.asynccontextmanager
    async def taken_elsewhere(self, table: str) -> AsyncIterator[None]:
        """Locks the rows of a table, as a worker does that takes them at this moment."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(
                f"SELECT id FROM {table} WHERE event_id = 1 FOR NO KEY UPDATE".encode()
            )
            yield

    @contextlib.asynccontextmanager
    async def leased_elsewhere(self, table: str) -> AsyncIterator[AsyncConnection]:
        """Leases the rows of a table, as a worker does whose lease is committed afterwards."""
        column = {"payments": "next_look_at", "refunds": "next_try_at"}[table]
        lease = f"UPDATE {table} SET {column} = now() + interval '15 seconds'"
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(lease.encode())
            yield connection

    async def make_due(self, *, age: str = "0 seconds") -> None:
        """Makes all that is under way due at once, and older."""
        await self.read(
            f"UPDATE payments SET next_look_at = now(), created_at = {earlier('created_at', age)}"
        )
        await self.read(f"UPDATE bookings SET expires_at = {earlier('expires_at', age)}")
        await self.read("UPDATE refunds SET next_try_at = now()")
