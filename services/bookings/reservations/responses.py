"""Responses to commands, as protobuf messages."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.bookings.v1 import bookings_pb2, inventory_pb2, waiting_list_pb2
from boxoffice.type.v1 import money_pb2
from services.bookings.inventory.commands import (
    Booked,
    Cancelled,
    Judgement,
    LeftLine,
    NamedEvent,
    Outcome,
    Replayed,
    Waiting,
)
from services.bookings.inventory.stock import Booking
from services.bookings.inventory.transaction import Ask
from services.bookings.reservations.reading import BookingDetails
from services.kit.rpc.errors import Refusal
from services.kit.rpc.timestamps import timestamp

OutcomeT = TypeVar("OutcomeT")


def responded(
    asks: Sequence[Ask | Refusal], outcomes: Sequence[Outcome], response: type[Message]
) -> list[Message | bytes | Refusal]:
    """Returns the response to each ask, or why it was refused."""
    return [
        ask if isinstance(ask, Refusal) else _responded(ask, outcome, response)
        for ask, outcome in zip(asks, outcomes, strict=True)
    ]


def reserve_response(outcome: Outcome) -> bookings_pb2.ReserveResponse:
    """Writes a reservation."""
    made = _expect(outcome, Booked)
    response = bookings_pb2.ReserveResponse()
    reservation, booking = response.reservation, made.booking
    reservation.booking_id = booking.id
    reservation.event_id = booking.event_id
    reservation.user_id = booking.user_id
    reservation.created_at.CopyFrom(_shared_timestamp(booking.created_at))
    response.inventory_revision = made.rev
    return response


def create_response(outcome: Outcome) -> bookings_pb2.CreateBookingResponse:
    """Writes a booking that was just made."""
    made = _expect(outcome, Booked)
    return bookings_pb2.CreateBookingResponse(
        booking=booking_message(made.booking, made.event), inventory_revision=made.rev
    )


def ticket_response(event_key: str, outcome: Outcome) -> waiting_list_pb2.BookTicketResponse:
    """Writes a ticket, or a place in line."""
    if isinstance(outcome, Waiting):
        return waiting_list_pb2.BookTicketResponse(
            ticket=waiting_list_pb2.BookedTicket(
                status="waiting",
                event_id=event_key,
                user_id=outcome.user_id,
                seat_count=outcome.seat_count,
                position=outcome.position,
            ),
            waits=True,
            inventory_revision=outcome.rev,
        )
    made = _expect(outcome, Booked)
    return waiting_list_pb2.BookTicketResponse(
        ticket=waiting_list_pb2.BookedTicket(
            status="booked",
            event_id=event_key,
            user_id=made.booking.user_id,
            seat_count=made.booking.seat_count,
            booking_id=made.booking.id,
        ),
        inventory_revision=made.rev,
    )


def cancel_response(outcome: Outcome) -> bookings_pb2.CancelBookingByReferenceResponse:
    """Writes a booking that was just cancelled."""
    cancelled = _expect(outcome, Cancelled)
    return bookings_pb2.CancelBookingByReferenceResponse(
        booking=booking_message(cancelled.booking, cancelled.event),
        inventory_revision=cancelled.rev,
    )


def give_back_response(outcome: Outcome) -> waiting_list_pb2.CancelTicketResponse:
    """Writes what giving a ticket back did."""
    left = isinstance(outcome, LeftLine)
    given = _expect(outcome, LeftLine) if left else _expect(outcome, Cancelled)
    return waiting_list_pb2.CancelTicketResponse(
        cancelled_ticket=waiting_list_pb2.CancelledTicket(
            status="left_waiting_list" if left else "cancelled", promoted=given.served > 0
        ),
        inventory_revision=given.rev,
    )


def apply_response(judgement: Judgement) -> inventory_pb2.ApplyEventResponse:
    """Writes a judgement."""
    return inventory_pb2.ApplyEventResponse(
        verdict=inventory_pb2.Verdict.Value(f"VERDICT_{judgement.verdict}"),
        reason=judgement.refusal,
        cancelled_bookings=judgement.cancelled_bookings,
        inventory_revision=judgement.inventory_rev,
    )


def booking_message(booking: Booking | BookingDetails, event: NamedEvent) -> bookings_pb2.Booking:
    """Writes a booking with its event."""
    price = None
    if booking.price_amount_minor is not None and booking.price_currency is not None:
        price = money_pb2.Money(
            amount_minor=booking.price_amount_minor, currency=booking.price_currency
        )
    return bookings_pb2.Booking(
        id=booking.id,
        reference=str(booking.reference),
        event_id=booking.event_id,
        user_id=booking.user_id,
        status=bookings_pb2.BookingStatus.Value(f"BOOKING_STATUS_{booking.status}"),
        seat_count=booking.seat_count,
        price=price,
        created_at=timestamp(booking.created_at),
        expires_at=timestamp(booking.expires_at),
        cancelled_at=timestamp(booking.cancelled_at),
        event=bookings_pb2.BookedEvent(
            id=booking.event_id, name=event.name, starts_at=timestamp(event.starts_at)
        ),
    )


def _responded(ask: Ask, outcome: Outcome, response: type[Message]) -> Message | bytes | Refusal:
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(outcome, Replayed):
        # Serialized messages that follow each other are read as one.
        return outcome.response + _marked(response)
    if ask.answer is None:
        raise TypeError("nobody can answer this")
    return ask.answer(outcome)


def _marked(response: Callable[[], Any]) -> bytes:
    """Serializes what marks a response as the repetition of an earlier one."""
    marked = response()
    marked.replayed = True
    serialized: bytes = marked.SerializeToString()
    return serialized


@lru_cache(maxsize=16)
def _shared_timestamp(moment: datetime) -> Timestamp:
    """Gives a time to copy from: all reservations of a batch have the same."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def _expect(outcome: Outcome, expected: type[OutcomeT]) -> OutcomeT:
    if not isinstance(outcome, expected):
        raise TypeError(f"no answer to this request: {outcome}")
    return outcome
