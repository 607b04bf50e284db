"""Payments as those who pay and those who refund ask for them."""

from uuid import UUID, uuid4

from google.protobuf.message import Message
from psycopg.rows import class_row

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.errors import PaymentNotFound, TicketNotFound
from services.bookings.inventory import Ask
from services.bookings.inventory.payment_commands import Amount, RefundPayment, StartPayment
from services.bookings.payments import messages
from services.bookings.payments.details import NewPayment, PaymentDetails, TicketId
from services.bookings.payments.providers import Providers
from services.bookings.references import BookingName, find_visible
from services.kit.database import idempotency, queries
from services.kit.database.idempotency import Result, refusal_bytes
from services.kit.database.postgres import Pool
from services.kit.rpc.callers import denied
from services.kit.rpc.errors import Refusal, ValidationFailed, Violation
from services.kit.rpc.paging import Page

SQL = queries.load(__file__)
CREATE = "create_payment"


class Payments:
    """Finds what is paid and refunded, and reads payments."""

    def __init__(self, pool: Pool, providers: Providers) -> None:
        self._pool = pool
        self._providers = providers

    async def ask_for(self, new: NewPayment, viewer: Viewer, request_id: str) -> Ask:
        """Asks to start a payment of a booking that the viewer may see.

        Raises ReservationNotFound, BookingNotFound or TicketNotFound, and Unavailable without a
        provider.
        """
        provider = self._providers.of_new_payments()
        if provider.needs_token and not new.token:
            raise ValidationFailed(violations=[Violation("token", "value is required")])
        event_id, booking_id = await self._find(new.booking, viewer)
        command = StartPayment(event_id, booking_id, uuid4(), provider.name, new.method, new.amount)
        content = (event_id, booking_id, new.method, new.token, *(new.amount or ()))
        key = idempotency_key(viewer, CREATE, request_id, *content)
        return Ask(command, key, messages.started)

    async def keep_response(
        self, payment_id: UUID, response: Message | Refusal, viewer: Viewer, request_id: str
    ) -> bool:
        """Keeps the first response about a payment, to answer requests with the same key.

        Until now its key has only the payment. Returns False if a repeated request was faster.
        """
        key = idempotency_key(viewer, CREATE, request_id)
        if key is None:
            return True
        if isinstance(response, Refusal):
            result = Result(key, is_refusal=True, response=refusal_bytes(response))
        else:
            result = Result(key, is_refusal=False, response=response.SerializeToString())
        incomplete = messages.incomplete(payment_id).SerializeToString()
        async with self._pool.connection() as connection:
            return await idempotency.complete(connection, incomplete, result)

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
        rows = viewer.rows(guests=True)
        found = await self._read("get_payment", payment_id=payment_id, **rows)
        if not found:
            raise PaymentNotFound
        return found[0]

    async def list_of_user(self, user_id: str, page: Page, viewer: Viewer) -> list[PaymentDetails]:
        """Lists a user's payments, and one more than the page has. Raises PermissionDenied."""
        viewer.expect_to_list_user(user_id)
        return await self._read(
            "list_user_payments", user_id=user_id, before=page.before, limit=page.limit
        )

    async def _find(self, booking: TicketId | BookingName, viewer: Viewer) -> tuple[int, int]:
        """Finds the event and the number of a booking, which never change."""
        if isinstance(booking, BookingName):
            return await find_visible(self._pool, booking, viewer)
        values = {"ticket_id": booking.ticket_id, **viewer.rows(guests=True)}
        async with self._pool.connection() as connection:
            found = await (await connection.execute(SQL["find_ticketed"], values)).fetchone()
        if found is None:
            raise TicketNotFound
        return found[0], found[1]

    async def _read(self, statement: str, **values: object) -> list[PaymentDetails]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(PaymentDetails))
            await cursor.execute(SQL[statement], values)
            return await cursor.fetchall()
