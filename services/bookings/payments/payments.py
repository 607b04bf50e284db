"""Payments as those who refund and those who look at them ask for them."""

from collections.abc import Collection
from uuid import UUID, uuid4

from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.errors import PaymentNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.payment_commands import Amount, RefundPayment
from services.bookings.payments import messages
from services.bookings.payments.details import PaymentDetails
from services.kit.database import queries
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import denied
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)


class Payments:
    """Finds what is refunded, and reads payments."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def ask_for_refund(
        self, payment_id: UUID, amount: Amount | None, viewer: Viewer, request_id: str
    ) -> Ask:
        """Asks to refund a payment of the viewer's event.

        Raises PaymentNotFound, PermissionDenied and ValidationFailed.
        """
        payment = await self.get(payment_id, viewer)
        if not viewer.owns(payment.event_organizer_id):
            raise denied(viewer.caller)
        if amount and amount.currency != payment.refunded_currency:
            wrong = f"must be {payment.refunded_currency}, in which it was paid"
            raise ValidationFailed(violations=[Violation("amount.currency", wrong)])
        minor = amount.minor if amount else None
        command = RefundPayment(payment.event_id, payment.booking_id, payment_id, uuid4(), minor)
        key = idempotency_key(viewer, "refund_payment", request_id, payment_id, minor)
        return Ask(command, key, messages.refunding)

    async def get(self, payment_id: UUID, viewer: Viewer) -> PaymentDetails:
        """Reads a payment; raises PaymentNotFound unless the viewer may see it."""
        found = (await self.find_all([payment_id])).get(payment_id)
        if found is None or not viewer.sees_by_reference(found.user_id, found.event_organizer_id):
            raise PaymentNotFound
        return found

    async def find_all(self, payment_ids: Collection[UUID]) -> dict[UUID, PaymentDetails]:
        """Reads payments, whoever asks; those that do not exist are missing."""
        found = await self._read("find_payments", payment_ids=list(payment_ids))
        return {payment.payment_id: payment for payment in found}

    async def list_of_user(self, user_id: str, page: Page, viewer: Viewer) -> list[PaymentDetails]:
        """Lists a user's payments, and one more than the page has. Raises PermissionDenied."""
        viewer.expect_to_list_user(user_id)
        return await self._read(
            "list_user_payments", user_id=user_id, before=page.before, limit=page.limit
        )

    async def _read(self, statement: str, **values: object) -> list[PaymentDetails]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(PaymentDetails))
            await cursor.execute(SQL[statement], values)
            return await cursor.fetchall()
