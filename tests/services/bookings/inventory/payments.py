"""Makes payments for tests: commands with ids that follow from a number, and what came out."""

from typing import Any
from uuid import UUID

from services.bookings.inventory.changes import Payment, Refund
from services.bookings.inventory.commands import Booked, Outcome
from services.bookings.inventory.payment_commands import (
    Amount,
    Charge,
    Paid,
    Refunding,
    RefundPayment,
    SettlePayment,
    SettleRefund,
    StartPayment,
)
from services.bookings.inventory.seat_commands import Seated

PRICE: dict[str, Any] = {"price_amount_minor": 900, "price_currency": "EUR"}


def payment_id(number: int) -> UUID:
    """Returns the id of a payment."""
    return UUID(int=number)


def refund_id(number: int) -> UUID:
    """Returns the id of a refund."""
    return UUID(int=1_000_000 + number)


def start(booking_id: int, number: int = 1, amount: Amount | None = None) -> StartPayment:
    """Makes a command to start a payment."""
    return StartPayment(1, booking_id, payment_id(number), "sandbox", "card", amount)


def paid(
    booking_id: int, number: int = 1, minor: int = 900, currency: str = "EUR", event: str = ""
) -> SettlePayment:
    """Makes a command for a payment that succeeded."""
    charge = Charge(True, f"ch_{number}", minor, currency)
    return SettlePayment(1, booking_id, payment_id(number), charge, event or None)


def declined(booking_id: int, number: int = 1) -> SettlePayment:
    """Makes a command for a payment that failed."""
    return SettlePayment(1, booking_id, payment_id(number), Charge(False, None, 0, "EUR"))


def give_back(
    booking_id: int, number: int = 1, refund: int = 1, minor: int | None = None
) -> RefundPayment:
    """Makes a command to refund a payment."""
    return RefundPayment(1, booking_id, payment_id(number), refund_id(refund), minor)


def given_back(
    booking_id: int, refund: UUID, number: int = 1, *, succeeded: bool = True
) -> SettleRefund:
    """Makes a command for a refund that the provider has paid back, or cannot."""
    return SettleRefund(1, booking_id, payment_id(number), refund, succeeded, "re_1")


def number_of(outcome: Outcome) -> int:
    """Returns the number of a booking that was made."""
    assert isinstance(outcome, Seated | Booked), outcome
    return outcome.booking.id


def payment_of(outcome: Outcome) -> Payment:
    """Returns the payment of an outcome."""
    assert isinstance(outcome, Paid | Refunding), outcome
    return outcome.payment


def refund_of(outcome: Outcome) -> Refund:
    """Returns the refund of an outcome."""
    assert isinstance(outcome, Refunding), outcome
    return outcome.refund


def paid_of(outcome: Outcome) -> tuple[str, str, bool, bool]:
    """Returns the statuses of payment and booking, whether the ticket is valid, and any change."""
    assert isinstance(outcome, Paid), outcome
    is_valid = outcome.ticket is not None and outcome.ticket.valid_at is not None
    return outcome.payment.status, outcome.booking.status, is_valid, outcome.changed
