"""The rules of payments: starting one, and what follows once its provider has settled it.

A user who has paid gets a ticket or the money back, never both and never neither, in the
transaction that records the payment.
"""

from dataclasses import replace
from datetime import datetime

from services.bookings.errors import AlreadyPaid, PaymentNotFound, PaymentUnderWay
from services.bookings.inventory.changes import Booking, Payment
from services.bookings.inventory.commands import DEFERRED, Deferred, Outcome
from services.bookings.inventory.money import Reason, buyer_of, give_back_rest, payments_of
from services.bookings.inventory.payment_commands import (
    Amount,
    Charge,
    Paid,
    SettlePayment,
    StartPayment,
)
from services.bookings.inventory.releasing import extend_once, lasting
from services.bookings.inventory.reserving import Context, objection
from services.bookings.inventory.stock import Stock
from services.bookings.inventory.ticketing import confirm_paid
from services.bookings.inventory.waiting import lapse, promote
from services.bookings.seating.plan import map_of
from services.kit.rpc.errors import Refusal, ValidationFailed, Violation


def start(stock: Stock, command: StartPayment, context: Context) -> Outcome:
    """Adds a payment that is under way, and extends the hold once."""
    if known := stock.payments.get(command.payment_id):
        return _paid(stock, known, changed=False)
    booking = lasting(stock, command.booking_id)
    if isinstance(booking, Refusal):
        return booking
    price = _price(booking)
    if price is None:
        return AlreadyPaid(inventory_revision=stock.rev)
    if refusal := _objection(stock, booking, price, command.amount):
        return refusal
    payment = Payment(
        stock.event_id,
        command.payment_id,
        booking.id,
        booking.user_id,
        command.provider,
        command.method,
        "CREATED",
        *price,
        context.now,
    )
    stock.payments.put(payment)
    if booking.status == "HELD":
        stock.add(replace(extend_once(stock, booking, context), is_paying=True))
    return _paid(stock, payment)


def settle(stock: Stock, command: SettlePayment, context: Context) -> Outcome | Deferred:
    """Records what has become of a payment, and confirms its booking or gives the money back.

    A settled payment stays as it is, unless it failed and has succeeded after all.
    """
    payment = stock.payments.get(command.payment_id)
    if payment is None:
        return PaymentNotFound()
    received = command.charge.received
    if payment.status not in {"CREATED", "FAILED"} or (payment.settled_at and received is None):
        _note_event(stock, payment, command)
        return _paid(stock, payment, changed=False)
    if received is None and command.charge.reference is None and payment.provider_reference:
        # The provider was asked before it named the charge. Workers ask again, by its name.
        return _paid(stock, payment, changed=False)
    reason = _obstacle(stock, payment, received, context.now) if received else None
    if reason is Reason.SEATS_GONE and stock.more_have_ended:
        # The next transaction expires more holds, which may free the seats.
        return DEFERRED
    _note_event(stock, payment, command)
    settled = _settled(payment, command.charge, context.now)
    stock.payments.put(settled)
    if reason is not None:
        settled = give_back_rest(stock, settled, reason, context.now)
    elif received is not None:
        confirm_paid(stock, stock.bookings[payment.booking_id], context)
    has_lapsed = payment.status == "CREATED" and _end_attempt(stock, payment, context.now)
    outcome = _paid(stock, settled)
    if has_lapsed:
        promote(stock, context)
    return outcome


def _price(booking: Booking) -> Amount | None:
    """Returns what a booking costs; None if it is free."""
    if not booking.price_amount_minor or booking.price_currency is None:
        return None
    return Amount(booking.price_amount_minor, booking.price_currency)


def _objection(
    stock: Stock, booking: Booking, price: Amount, expected: Amount | None
) -> Refusal | None:
    """Returns why a payment cannot be started; None if it can."""
    if buyer_of(stock, booking.id):
        return AlreadyPaid(inventory_revision=stock.rev)
    if any(payment.status == "CREATED" for payment in payments_of(stock, booking.id)):
        return PaymentUnderWay(inventory_revision=stock.rev)
    if expected is not None and expected != price:
        message = f"must be the price of the booking, {price.minor} {price.currency}"
        violations = [Violation("amount", message)]
        return ValidationFailed(violations=violations, inventory_revision=stock.rev)
    return None


def _obstacle(stock: Stock, payment: Payment, received: Amount, now: datetime) -> Reason | None:
    """Returns why the money is given back; None if it buys the booking."""
    booking = stock.bookings[payment.booking_id]
    if received != Amount(payment.amount_minor, payment.currency):
        return Reason.AMOUNT_DIFFERS
    if stock.is_closed:
        return Reason.EVENT_CANCELLED
    if buyer_of(stock, booking.id):
        return Reason.PAID_TWICE
    if booking.status == "CANCELLED":
        return Reason.BOOKING_CANCELLED
    if not booking.is_live and not _can_be_regained(stock, booking, now):
        return Reason.SEATS_GONE
    return None


def _can_be_regained(stock: Stock, booking: Booking, now: datetime) -> bool:
    """Returns whether an expired booking can have its seats again: its user would get them now."""
    if stock.waiting or booking.seat_count > stock.free or objection(stock, now):
        return False
    if booking.exclusive and stock.exclusive_of(booking.user_id):
        return False
    return not booking.seat_ids or not map_of(booking.seat_ids) & stock.seats.taken


def _settled(payment: Payment, charge: Charge, now: datetime) -> Payment:
    """Returns a payment with what has become of it."""
    received = charge.received
    settled = replace(
        payment,
        status="FAILED",
        provider_reference=charge.reference or payment.provider_reference,
        settled_at=now,
    )
    if received is None:
        return settled
    return replace(
        settled,
        status="SUCCEEDED",
        received_minor=received.minor,
        received_currency=received.currency,
        mismatched=received != Amount(payment.amount_minor, payment.currency),
    )


def _end_attempt(stock: Stock, payment: Payment, now: datetime) -> bool:
    """Lets a hold that is not paid yet end by the clock again; returns whether it has ended."""
    booking = stock.bookings[payment.booking_id]
    ends_at = booking.expires_at
    if stock.is_closed or not booking.is_paying or not booking.is_live or ends_at is None:
        return False
    hold = replace(booking, is_paying=False)
    if ends_at <= now:
        lapse(stock, hold)
        return True
    stock.add(hold)
    stock.next_expiry_at = min(stock.next_expiry_at or ends_at, ends_at)
    return False


def _note_event(stock: Stock, payment: Payment, command: SettlePayment) -> None:
    """Records the provider's event, in the transaction of what it changes."""
    if command.provider_event is not None:
        stock.provider_events.append((payment.provider, command.provider_event, payment.id))


def _paid(stock: Stock, payment: Payment, *, changed: bool = True) -> Paid:
    booking = stock.bookings[payment.booking_id]
    return Paid(payment, booking, stock.rev, changed, stock.tickets.get(booking.id))
