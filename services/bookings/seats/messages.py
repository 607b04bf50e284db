"""Converts protobuf messages of reservations of seats."""

from collections.abc import Sequence

from boxoffice.bookings.v1 import seats_pb2
from services.bookings.access import Viewer
from services.bookings.asks import expect
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Outcome
from services.bookings.inventory.seat_commands import Hold, Released, Seated, SeatsBlocked
from services.bookings.seating.choosing import Wish
from services.bookings.seats.screening import SeatReservation
from services.kit.rpc.errors import ValidationFailed, Violation
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp


def hold(request: seats_pb2.HoldSeatsRequest, user_id: str, viewer: Viewer) -> Hold:
    """Reads the seats to hold. Raises ValidationFailed."""
    return Hold(
        request.screening_id,
        user_id,
        sorted(request.seat_ids),
        _wish(request.best) if request.HasField("best") else None,
        require_all=request.require_all or not request.HasField("require_all"),
        suggests_alternatives=(
            request.suggest_alternatives or not request.HasField("suggest_alternatives")
        ),
        viewer=viewer,
        queue_token=request.queue_token,
    )


def hold_response(outcome: Outcome) -> seats_pb2.HoldSeatsResponse:
    """Writes a new hold."""
    seated = expect(outcome, Seated)
    return seats_pb2.HoldSeatsResponse(
        reservation=_reservation(seated.booking, seated.unavailable),
        inventory_revision=seated.rev,
    )


def get_response(found: SeatReservation) -> seats_pb2.GetSeatReservationResponse:
    """Writes a reservation that was read."""
    return seats_pb2.GetSeatReservationResponse(
        reservation=_reservation(found), inventory_revision=found.rev
    )


def release_response(outcome: Outcome) -> seats_pb2.ReleaseSeatsResponse:
    """Writes how many seats of a reservation were released."""
    released = expect(outcome, Released)
    return seats_pb2.ReleaseSeatsResponse(
        result=seats_pb2.ReleasedSeats(released=released.seat_count),
        inventory_revision=released.rev,
    )


def release_user_response(outcome: Outcome) -> seats_pb2.ReleaseUserSeatsResponse:
    """Writes how many seats of a user were released."""
    released = expect(outcome, Released)
    return seats_pb2.ReleaseUserSeatsResponse(
        result=seats_pb2.ReleasedSeats(released=released.seat_count),
        inventory_revision=released.rev,
    )


def block_response(outcome: Outcome) -> seats_pb2.SetBlockedSeatsResponse:
    """Writes the blocked seats."""
    blocked = expect(outcome, SeatsBlocked)
    return seats_pb2.SetBlockedSeatsResponse(
        blocked_seats=seats_pb2.BlockedSeats(seat_ids=blocked.seat_ids),
        inventory_revision=blocked.rev,
    )


def _wish(best: seats_pb2.BestSeats) -> Wish:
    """Reads the wish for best seats. Raises ValidationFailed."""
    if best.accessible > best.count:
        raise ValidationFailed(
            violations=[Violation("best.accessible", "must not be more than `count`")]
        )
    return Wish(
        best.count,
        best.type if best.HasField("type") else None,
        best.section if best.HasField("section") else None,
        adjacent=best.adjacent or not best.HasField("adjacent"),
        accessible=best.accessible,
    )


def _reservation(
    found: Booking | SeatReservation, unavailable: Sequence[int] = ()
) -> seats_pb2.SeatReservation:
    return seats_pb2.SeatReservation(
        reservation_id=str(found.reference),
        booking_id=found.id,
        screening_id=found.event_id,
        user_id=found.user_id,
        seat_ids=found.seat_ids,
        unavailable_seat_ids=unavailable,
        price=money(found.price_amount_minor, found.price_currency),
        status=seats_pb2.SeatReservationStatus.Value(f"SEAT_RESERVATION_STATUS_{found.status}"),
        expires_at=timestamp(found.expires_at),
    )
