"""Writes protobuf messages of bookings, seats and top users."""

from datetime import datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.bookings.v1 import bookings_pb2
from services.bookings.asks import expect
from services.bookings.inventory import Seats
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Booked, Cancelled, NamedEvent, Outcome
from services.bookings.rankings.rankings import TopUser
from services.bookings.reservations.reading import BookingDetails
from services.kit.rpc.errors import Refusal, status_of
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp


def reserve_response(outcome: Outcome) -> bookings_pb2.ReserveResponse:
    """Writes a new booking of one seat; only a held one shows its status and end."""
    made = expect(outcome, Booked)
    response = bookings_pb2.ReserveResponse()
    reservation, made_booking = response.reservation, made.booking
    reservation.booking_id = made_booking.id
    reservation.event_id = made_booking.event_id
    reservation.user_id = made_booking.user_id
    reservation.created_at.CopyFrom(_shared_timestamp(made_booking.created_at))
    if made_booking.expires_at is not None:
        reservation.status = bookings_pb2.BOOKING_STATUS_HELD
        reservation.expires_at.CopyFrom(_shared_timestamp(made_booking.expires_at))
    response.inventory_revision = made.rev
    return response


def create_response(outcome: Outcome) -> bookings_pb2.CreateBookingResponse:
    """Writes a new booking of several seats."""
    made = expect(outcome, Booked)
    return bookings_pb2.CreateBookingResponse(
        booking=booking(made.booking, made.event), inventory_revision=made.rev
    )


def cancel_response(outcome: Outcome) -> bookings_pb2.CancelBookingByReferenceResponse:
    """Writes a cancelled booking."""
    cancelled = expect(outcome, Cancelled)
    return bookings_pb2.CancelBookingByReferenceResponse(
        booking=booking(cancelled.booking, cancelled.event), inventory_revision=cancelled.rev
    )


def details(found: BookingDetails) -> bookings_pb2.Booking:
    """Writes a booking that was read."""
    return booking(found, found.event)


def booking(found: Booking | BookingDetails, event: NamedEvent) -> bookings_pb2.Booking:
    """Writes a booking with its event."""
    return bookings_pb2.Booking(
        id=found.id,
        reference=str(found.reference),
        event_id=found.event_id,
        user_id=found.user_id,
        status=bookings_pb2.BookingStatus.Value(f"BOOKING_STATUS_{found.status}"),
        seat_count=found.seat_count,
        seat_ids=found.seat_ids,
        price=money(found.price_amount_minor, found.price_currency),
        created_at=timestamp(found.created_at),
        expires_at=timestamp(found.expires_at),
        cancelled_at=timestamp(found.cancelled_at),
        event=bookings_pb2.BookedEvent(
            id=found.event_id, name=event.name, starts_at=timestamp(event.starts_at)
        ),
    )


def status_name(status: bookings_pb2.BookingStatus.ValueType) -> str:
    """Returns a status as the database stores it."""
    return bookings_pb2.BookingStatus.Name(status).removeprefix("BOOKING_STATUS_")


def availability_response(seats: Seats) -> bookings_pb2.GetAvailabilityResponse:
    """Writes the seats of an event."""
    return bookings_pb2.GetAvailabilityResponse(
        availability=bookings_pb2.Availability(
            event_id=seats.event_id,
            total_seats=seats.capacity,
            booked=seats.booked,
            left=seats.capacity - seats.booked,
        ),
        inventory_revision=seats.rev,
        waiting=seats.waiting,
    )


def availability_result(seats: Seats | Refusal) -> bookings_pb2.BatchGetAvailabilityResult:
    """Writes the seats of one event of many, or the refusal."""
    if isinstance(seats, Refusal):
        return bookings_pb2.BatchGetAvailabilityResult(error=status_of(seats))
    return bookings_pb2.BatchGetAvailabilityResult(response=availability_response(seats))


def top_user(user: TopUser) -> bookings_pb2.TopUser:
    """Writes a user and their rank."""
    return bookings_pb2.TopUser(
        place=user.place, user_id=user.user_id, bookings_count=user.bookings_count
    )


@lru_cache(maxsize=16)
def _shared_timestamp(moment: datetime) -> Timestamp:
    """Returns a cached message of a time: all reservations of a batch have the same time."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written
