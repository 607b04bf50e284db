"""Refusals about bookings, the waiting list and the queue."""

import grpc

from services.kit.rpc.errors import Refusal


class AlreadyBooked(Refusal):
    """The user already has a live booking of this event."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_BOOKED"


class AlreadyWaiting(Refusal):
    """The user is on the waiting list of this event already."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_WAITING"


class SoldOut(Refusal):
    """The event has no seat left."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SOLD_OUT"


class BookingNotFound(Refusal):
    """There is no such booking."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "BOOKING_NOT_FOUND"


class AlreadyCancelled(Refusal):
    """The booking is over already."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ALREADY_CANCELLED"


class QueueRequired(Refusal):
    """The event has a queue, which has not admitted the user."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "QUEUE_REQUIRED"


class QueueOff(Refusal):
    """The event has no queue now."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "QUEUE_OFF"


class QueueEntryNotFound(Refusal):
    """Nobody has joined the queue with this token, or as this account."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "QUEUE_ENTRY_NOT_FOUND"
