"""The commands about payments and refunds, and their outcomes.

Providers are called before and after them, never in their transactions. Each can be repeated with
the same ids.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias
from uuid import UUID

from services.bookings.inventory.changes import Booking, Payment, Refund, Ticket


class Amount(NamedTuple):
    """Money in minor units of a currency."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class StartPayment:
    """Begin to pay a booking, which extends its hold once.

    `amount` is the price that the client expects, if it says one.
    """

    event_id: int
    booking_id: int
    payment_id: UUID
    provider: str
    method: str
    amount: Amount | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What has become of a payment: the money that the provider received, or nothing.

    `reference` is the provider's own name of the payment.
    """

    succeeded: bool
    reference: str | None
    amount_minor: int
    currency: str

    @property
    def received(self) -> Amount | None:
        """The money that was received; None if there is none."""
        if not self.succeeded or self.amount_minor <= 0:
            return None
        return Amount(self.amount_minor, self.currency)


@dataclass(frozen=True, slots=True)
class SettlePayment:
    """Record what has become of a payment, and confirm its booking or give the money back.

    `provider_event` is the id of the provider's event that says so, if one does.
    """

    event_id: int
    booking_id: int
    payment_id: UUID
    charge: Charge
    provider_event: str | None = None


@dataclass(frozen=True, slots=True)
class RefundPayment:
    """Give back money of a payment; all that is left without an amount."""

    event_id: int
    booking_id: int
    payment_id: UUID
    refund_id: UUID
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class SettleRefund:
    """Record that the provider has paid a refund back, or that it cannot.

    `reference` is the provider's own name of the refund.
    """

    event_id: int
    booking_id: int
    payment_id: UUID
    refund_id: UUID
    succeeded: bool
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class RefundEvent:
    """Give back the money of the next payments of a closed event."""

    event_id: int


PaymentCommand: TypeAlias = StartPayment | SettlePayment | RefundPayment | SettleRefund


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment after a command, with its booking, its ticket if it has one, and the revision.

    `changed` is False if the command had been decided before.
    """

    payment: Payment
    booking: Booking
    rev: int
    changed: bool = True
    ticket: Ticket | None = None


@dataclass(frozen=True, slots=True)
class Refunding:
    """A refund after a command, with its payment and the revision.

    `changed` is False if the command had been decided before.
    """

    payment: Payment
    refund: Refund
    rev: int
    changed: bool = True
