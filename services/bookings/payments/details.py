"""A payment as people ask for it, and as they see it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from services.bookings.access import Viewer
from services.bookings.inventory.payment_commands import Amount, Paid
from services.bookings.references import BookingName


@dataclass(frozen=True, slots=True)
class TicketId:
    """A booking by the id of its ticket, the secret of a guest."""

    ticket_id: UUID


BookingKey: TypeAlias = TicketId | BookingName


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What a client asks to pay, and how; `amount` is what it expects to pay, if it says so."""

    booking: BookingKey
    method: str
    token: str = field(repr=False)
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A request to pay, who makes it, and its idempotency key if it has one."""

    new: NewPayment
    viewer: Viewer
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ShownPayment:
    """A payment with its event and its ticket. Money is minor units."""

    event_id: int
    payment_id: UUID
    booking_id: int
    ticket_id: UUID | None
    user_id: str
    amount_minor: int
    currency: str
    refunded_minor: int
    refunded_currency: str
    status: str
    method: str
    created_at: datetime

    @staticmethod
    def of(paid: Paid) -> "ShownPayment":
        """Returns a payment as it was decided."""
        payment, ticket = paid.payment, paid.ticket
        return ShownPayment(
            payment.event_id,
            payment.id,
            payment.booking_id,
            ticket.id if ticket else None,
            payment.user_id,
            payment.amount_minor,
            payment.currency,
            payment.refunded_minor,
            payment.received_currency or payment.currency,
            payment.status,
            payment.method,
            payment.created_at,
        )


@dataclass(frozen=True, slots=True)
class PaymentDetails(ShownPayment):
    """A payment as it was read, with the organizer of its event. Pages go by `id`."""

    id: int
    event_organizer_id: str | None
