"""Protobuf messages of payments."""

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

from boxoffice.bookings.v1 import payments_pb2
from boxoffice.type.v1 import money_pb2
from services.bookings.asks import expect
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.payment_commands import Amount, Paid, Refunding
from services.bookings.payments.details import NewPayment, ShownPayment, TicketId
from services.bookings.references import BookingName
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp

PaymentResponse: TypeAlias = payments_pb2.CreatePaymentResponse


def new_payment(request: payments_pb2.CreatePaymentRequest) -> NewPayment:
    """Reads what a client asks to pay."""
    expected = amount(request.amount) if request.HasField("amount") else None
    return NewPayment(_booking(request), request.method, request.token, expected)


def amount(message: money_pb2.Money) -> Amount:
    """Reads money."""
    return Amount(message.amount_minor, message.currency)


def started(outcome: Outcome) -> PaymentResponse:
    """Writes which payment was started. The rest follows once the provider has answered."""
    return incomplete(expect(outcome, Paid).payment.id)


def incomplete(payment_id: UUID) -> PaymentResponse:
    """Writes the response that is kept until the provider has answered."""
    return PaymentResponse(payment=payments_pb2.Payment(payment_id=str(payment_id)))


def refunding(outcome: Outcome) -> payments_pb2.RefundPaymentResponse:
    """Writes what a refund changes of its payment; the rest is read."""
    changed = expect(outcome, Refunding)
    payment = changed.payment
    return payments_pb2.RefundPaymentResponse(
        payment=payments_pb2.Payment(
            payment_id=str(payment.id),
            status=_status(payment.status),
            refunded=money(payment.refunded_minor, payment.received_currency),
        ),
        inventory_revision=changed.rev,
    )


def payment(found: ShownPayment, redirect_url: str | None = None) -> payments_pb2.Payment:
    """Writes a payment, with the page on which the payer goes on."""
    return payments_pb2.Payment(
        payment_id=str(found.payment_id),
        booking_id=found.booking_id,
        ticket_id=str(found.ticket_id) if found.ticket_id else None,
        user_id=found.user_id,
        amount=money(found.amount_minor, found.currency),
        refunded=money(found.refunded_minor, found.refunded_currency),
        status=_status(found.status),
        method=found.method,
        created_at=timestamp(found.created_at),
        redirect_url=redirect_url,
    )


def signature_headers(request: payments_pb2.ReceiveProviderEventRequest) -> Mapping[str, str]:
    """Returns the headers by which providers sign, by their names in lower case."""
    return {
        "webhook-id": request.webhook_id,
        "webhook-timestamp": request.webhook_timestamp,
        "webhook-signature": request.webhook_signature,
        "stripe-signature": request.stripe_signature,
    }


def _booking(request: payments_pb2.CreatePaymentRequest) -> TicketId | BookingName:
    if request.HasField("ticket_id"):
        return TicketId(UUID(request.ticket_id))
    if request.HasField("reservation_id"):
        return BookingName(reference=UUID(request.reservation_id))
    return BookingName(booking_id=request.booking_id)


def _status(name: str) -> payments_pb2.PaymentStatus.ValueType:
    return payments_pb2.PaymentStatus.Value(f"PAYMENT_STATUS_{name}")
