"""The money of bookings: which payment bought one, and giving money back.

A refund is only written here. The provider pays it back later.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from services.bookings.inventory.changes import Change, Kind, Payment, Refund
from services.bookings.inventory.stock import Stock


class Reason(StrEnum):
    """Why money is given back."""

    REQUESTED = "REQUESTED"
    BOOKING_CANCELLED = "BOOKING_CANCELLED"
    EVENT_CANCELLED = "EVENT_CANCELLED"
    SEATS_GONE = "SEATS_GONE"
    PAID_TWICE = "PAID_TWICE"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"


def payments_of(stock: Stock, booking_id: int) -> list[Payment]:
    """Lists the loaded payments of a booking."""
    return [payment for payment in stock.payments if payment.booking_id == booking_id]


def buyer_of(stock: Stock, booking_id: int) -> Payment | None:
    """Returns the payment that bought a booking: money of it is left."""
    return next((each for each in payments_of(stock, booking_id) if each.left_minor), None)


def give_back_rest(stock: Stock, payment: Payment, reason: Reason, now: datetime) -> Payment:
    """Writes a refund of all that is left of a payment.

    This happens once, so the refund's id follows from the payment's: no defect can write two.
    """
    refund_id, rest = uuid5(payment.id, "rest"), payment.left_minor
    return give_back(stock, payment, refund_id, rest, reason=reason, now=now)[0]


def give_back(
    stock: Stock,
    payment: Payment,
    refund_id: UUID,
    amount_minor: int,
    *,
    reason: Reason,
    now: datetime,
) -> tuple[Payment, Refund]:
    """Writes a refund of a payment that has at least as much money left."""
    refund = Refund(
        payment.event_id,
        refund_id,
        payment.id,
        payment.booking_id,
        amount_minor,
        payment.received_currency or payment.currency,
        reason,
        "DUE",
        now,
    )
    stock.refunds.put(refund)
    changed = with_status(replace(payment, refunding_minor=payment.refunding_minor + amount_minor))
    stock.record(Change(Kind.REFUND_DUE, payment.user_id, payment=changed))
    return changed, refund


def with_status(payment: Payment) -> Payment:
    """Returns a payment that received money with the status that follows from its sums."""
    if payment.refunded_minor == payment.received_minor:
        return replace(payment, status="REFUNDED")
    is_due = payment.refunding_minor > payment.refunded_minor
    return replace(payment, status="REFUND_DUE" if is_due else "SUCCEEDED")


def may_refund(stock: Stock, now: datetime) -> bool:
    """Returns whether users who cancel get their money back: by the event's rule, or its start."""
    until = stock.refund_until or stock.starts_at
    return until is None or now < until
