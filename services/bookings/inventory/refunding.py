"""The rules of refunds: writing them, recording what became of them, and those of closed events."""

from dataclasses import replace
from operator import attrgetter

from services.bookings.errors import PaymentNotFound
from services.bookings.inventory.cancelling import end
from services.bookings.inventory.changes import Change, Kind, Payment
from services.bookings.inventory.commands import Done, Outcome
from services.bookings.inventory.money import Reason, give_back, give_back_rest, with_status
from services.bookings.inventory.payment_commands import (
    RefundEvent,
    Refunding,
    RefundPayment,
    SettleRefund,
)
from services.bookings.inventory.reserving import Context
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.waiting import promote
from services.kit.rpc.errors import ValidationFailed, Violation


def refund(stock: Stock, command: RefundPayment, context: Context) -> Outcome:
    """Writes a refund; one of all that is left cancels the booking, too.

    Otherwise somebody would have the seats and their money.
    """
    payment = stock.payments.get(command.payment_id)
    if payment is None:
        return PaymentNotFound()
    if known := stock.refunds.get(command.refund_id):
        return Refunding(payment, known, stock.rev, changed=False)
    left = payment.left_minor
    amount = left if command.amount_minor is None else command.amount_minor
    if not 0 < amount <= left:
        return ValidationFailed(
            violations=[Violation("amount", _beyond(left))], inventory_revision=stock.rev
        )
    changed, written = give_back(
        stock, payment, command.refund_id, amount, reason=Reason.REQUESTED, now=context.now
    )
    rev = stock.rev
    if not changed.left_minor:
        _cancel(stock, changed, context)
    return Refunding(changed, written, rev)


def settle(stock: Stock, command: SettleRefund, context: Context) -> Outcome:
    """Records what has become of a refund. One that failed may still succeed later."""
    payment = stock.payments.get(command.payment_id)
    found = stock.refunds.get(command.refund_id)
    if payment is None or found is None or found.payment_id != payment.id:
        return PaymentNotFound()
    if found.status == "REFUNDED" or (found.status == "FAILED" and not command.succeeded):
        return Refunding(payment, found, stock.rev, changed=False)
    reference = command.reference or found.provider_reference
    if not command.succeeded:
        failed = replace(found, status="FAILED", provider_reference=reference)
        stock.refunds.put(failed)
        return Refunding(payment, failed, stock.rev)
    refunded = replace(
        found, status="REFUNDED", refunded_at=context.now, provider_reference=reference
    )
    stock.refunds.put(refunded)
    total = payment.refunded_minor + found.amount_minor
    payment = with_status(replace(payment, refunded_minor=total))
    stock.record(Change(Kind.REFUNDED, payment.user_id, payment=payment))
    return Refunding(payment, refunded, stock.rev)


def refund_event(stock: Stock, _: RefundEvent, context: Context) -> Done:
    """Writes the refunds of the payments that were loaded, once the event is closed."""
    if not stock.is_closed:
        return Done(changed=False)
    for payment in sorted(stock.payments, key=attrgetter("booking_id")):
        if payment.left_minor:
            give_back_rest(stock, payment, Reason.EVENT_CANCELLED, context.now)
    stock.refunds_written = not stock.has_more_payments
    return Done(changed=True)


def _beyond(left: int) -> str:
    if not left:
        return "nothing is left of the payment"
    return f"must be from 1 to {left}, which is left of the payment"


def _cancel(stock: Stock, payment: Payment, context: Context) -> None:
    booking = stock.bookings[payment.booking_id]
    if booking.is_live and not stock.is_closed:
        end(stock, booking, context.now)
        promote(stock, context)
