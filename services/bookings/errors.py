"""The refusals of bookings.

    kit.errors.Refusal
    ├── EventNotFound        NOT_FOUND            EVENT_NOT_FOUND
    ├── EventNotBookable     FAILED_PRECONDITION  EVENT_NOT_BOOKABLE
    ├── AlreadyBooked        ALREADY_EXISTS       ALREADY_BOOKED, with `booking_id`
    ├── AlreadyWaiting       ALREADY_EXISTS       ALREADY_WAITING, with `position`
    ├── SoldOut              FAILED_PRECONDITION  SOLD_OUT, with `seats_left` of several asked for
    ├── BookingNotFound      NOT_FOUND            BOOKING_NOT_FOUND
    ├── AlreadyCancelled     FAILED_PRECONDITION  ALREADY_CANCELLED
    └── HistoryGone          OUT_OF_RANGE         HISTORY_GONE, received from events

Refusals by the inventory carry `inventory_revision`, the revision at which they were true.
EventNotFound carries nothing, so a hidden event looks like one that does not exist.
"""

import grpc

from services.kit.rpc.errors import Refusal


class EventNotFound(Refusal):
    """There is no such event."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "EVENT_NOT_FOUND"


class EventNotBookable(Refusal):
    """The event is a draft, cancelled, completed, past, or outside its sales window."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "EVENT_NOT_BOOKABLE"


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


class HistoryGone(Refusal):
    """The catalogue's changes no longer reach back that far."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "HISTORY_GONE"
