"""Refusals of this service, besides those of kit.

Refusal
├── EventNotFound            NOT_FOUND             EVENT_NOT_FOUND
├── MovieNotFound            NOT_FOUND             MOVIE_NOT_FOUND
├── TheaterNotFound          NOT_FOUND             THEATER_NOT_FOUND
├── RoomNotFound             NOT_FOUND             ROOM_NOT_FOUND
├── SeatPlanNotFound         NOT_FOUND             PLAN_NOT_FOUND
├── ScreeningNotFound        NOT_FOUND             SCREENING_NOT_FOUND
├── ChangePending            ABORTED               CHANGE_PENDING
├── HistoryGone              OUT_OF_RANGE          HISTORY_GONE
└── Decided                  decided by the resource's state, and replayed to a repeated request
    ├── EventExists          ALREADY_EXISTS        EVENT_EXISTS, with `event_id`
    ├── VersionMismatch      ABORTED               VERSION_MISMATCH, with `version`
    ├── CapacityBelowBooked  FAILED_PRECONDITION   CAPACITY_BELOW_BOOKED
    ├── InvalidTransition    FAILED_PRECONDITION   INVALID_TRANSITION
    └── RoomOccupied         FAILED_PRECONDITION   ROOM_OCCUPIED

A refusal that bookings decided has `inventory_revision`, the revision at which it was true.
"""

import grpc

from services.kit.rpc.errors import Refusal


class EventNotFound(Refusal):
    """No such event."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "EVENT_NOT_FOUND"


class MovieNotFound(Refusal):
    """No such movie."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "MOVIE_NOT_FOUND"


class TheaterNotFound(Refusal):
    """No such theater."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "THEATER_NOT_FOUND"


class RoomNotFound(Refusal):
    """No such room."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "ROOM_NOT_FOUND"


class SeatPlanNotFound(Refusal):
    """No such seat plan."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PLAN_NOT_FOUND"


class ScreeningNotFound(Refusal):
    """No such screening."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SCREENING_NOT_FOUND"


class ChangePending(Refusal):
    """An earlier change of this event is not finished yet."""

    code = grpc.StatusCode.ABORTED
    reason = "CHANGE_PENDING"


class HistoryGone(Refusal):
    """The feed does not reach back that far, or not in this epoch."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "HISTORY_GONE"


class Decided(Refusal):
    """The state of the resource forbids it."""


class EventExists(Decided):
    """An event with this key exists, or existed."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "EVENT_EXISTS"


class VersionMismatch(Decided):
    """The resource has another version now."""

    code = grpc.StatusCode.ABORTED
    reason = "VERSION_MISMATCH"


class CapacityBelowBooked(Decided):
    """More seats are booked than the event would have."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CAPACITY_BELOW_BOOKED"


class InvalidTransition(Decided):
    """The resource cannot change like this, as it stands."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "INVALID_TRANSITION"


class RoomOccupied(Decided):
    """Another event has the room at that time."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ROOM_OCCUPIED"
