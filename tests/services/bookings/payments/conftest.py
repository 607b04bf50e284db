"""A running bookings with a screening and concerts, and those who pay for them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
from psycopg.rows import TupleRow

from boxoffice.bookings.v1 import payments_pb2
from services.bookings.inventory import Inventory
from services.bookings.payments.sandbox import Sandbox
from services.bookings.reservations.reservations import Reservations
from services.bookings.settings import DEVELOPMENT_SECRET
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import Role
from tests.conftest import Database
from tests.services.bookings.conftest import concert
from tests.services.bookings.payments.desk import Desk
from tests.services.bookings.payments.scripted import PRICE, ScriptedProvider
from tests.services.bookings.tickets.conftest import CONCERT, OWNER, Hall, house
from tests.services.conditions import until

__all__ = ["house"]


@dataclass
class Till:
    """Pays for bookings of the hall, as guests and as its organizer."""

    hall: Hall
    database: Database
    sandbox: Sandbox

    async def call(self, name: str, request: Any, who: str = "", role: str = Role.USER) -> Any:
        """Calls an RPC of payments as an account; without a token if there is none."""
        metadata = self.hall.issuer.bearer(who, role) if who else None
        return await getattr(self.hall.running.payments, name)(request, metadata=metadata)

    async def book(self, event_id: int = CONCERT) -> int:
        """Books a place for a new guest; returns the number of the booking."""
        return await self.hall.book(event_id, f"guest {uuid4()}")

    async def pay(self, by: str = "tok_ok", who: str = "", **asked: Any) -> Any:
        """Asks to pay; returns the response."""
        request = payments_pb2.CreatePaymentRequest(method="card", token=by, **asked)
        return await self.call("CreatePayment", request, who)

    async def paid(self, by: str = "tok_ok", **asked: Any) -> Any:
        """Asks to pay, by default for a new booking; returns the payment."""
        asked = asked or {"booking_id": await self.book()}
        return (await self.pay(by, **asked)).payment

    async def get(self, payment_id: str, who: str = "") -> Any:
        """Gets a payment."""
        request = payments_pb2.GetPaymentRequest(payment_id=payment_id)
        return (await self.call("GetPayment", request, who)).payment

    async def refund(self, payment_id: str, who: str = OWNER, **asked: Any) -> Any:
        """Refunds a payment as the organizer; returns the response."""
        request = payments_pb2.RefundPaymentRequest(payment_id=payment_id, **asked)
        return await self.call("RefundPayment", request, who, Role.ORGANIZER)

    async def until_it_is(self, status: payments_pb2.PaymentStatus.ValueType, payment: Any) -> Any:
        """Waits until a payment has a status, with all looks and attempts due at once."""

        async def has_it() -> bool:
            return bool((await self.get(payment.payment_id)).status == status)

        self.hurry()
        await until(has_it)
        return await self.get(payment.payment_id)

    async def until_all_webhooks_came(self) -> None:
        """Waits until the sandbox has no webhook to send."""

        async def have_come() -> bool:
            return not self.execute("SELECT number FROM sandbox_webhooks")

        await until(have_come)

    async def send(self, payment: Any, amount_minor: int, event_id: str = "evt_1") -> None:
        """Sends a webhook of the sandbox: a charge has succeeded."""
        charge = {
            "id": payment.payment_id,
            "status": "SUCCEEDED",
            "amount_minor": amount_minor,
            "currency": "EUR",
        }
        body = orjson.dumps({"type": "charge.succeeded", "charge": charge})
        await self.receive(body, self.sandbox.sign(event_id, body, datetime.now(UTC)))

    async def receive(
        self, body: bytes, headers: dict[str, str], provider: str = "sandbox"
    ) -> None:
        """Sends a webhook with its headers."""
        carried = {name.replace("-", "_"): value for name, value in headers.items()}
        request = payments_pb2.ReceiveProviderEventRequest(provider=provider, **carried)
        request.body.data = body
        await self.call("ReceiveProviderEvent", request)

    def hurry(self) -> None:
        """Makes all looks at payments, and all attempts to refund, due at once."""
        self.execute("UPDATE payments SET next_look_at = now() WHERE status = 'CREATED'")
        self.execute("UPDATE refunds SET next_try_at = now() WHERE status = 'DUE'")

    def execute(self, statement: str, *values: object) -> list[TupleRow]:
        """Runs a statement as the owner of the schema; returns its rows."""
        with psycopg.connect(self.database.owner_dsn) as connection:
            connection.execute("SET search_path TO bookings")
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
async def till(house: Hall, database: Database, pool: Pool) -> Till:
    """Returns what pays for bookings of the hall."""
    return Till(house, database, Sandbox(pool, DEVELOPMENT_SECRET))


@pytest.fixture
def provider() -> ScriptedProvider:
    """Returns a provider that takes all money."""
    return ScriptedProvider()


@pytest.fixture
async def desk(
    pool: Pool, inventory: Inventory, reservations: Reservations, provider: ScriptedProvider
) -> Desk:
    """Opens a priced concert."""
    priced = concert(1, price_amount_minor=PRICE, price_currency="EUR", one_booking_per_user=False)
    await inventory.apply(priced)
    return Desk(pool, inventory, reservations, provider)
