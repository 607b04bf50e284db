"""Refusals about seats and their holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import grpc

from services.bookings.seating.plan import Plan
from services.bookings.seating.prices import Prices
from services.kit.rpc.errors import Refusal, Violation


class SeatNotFound(Refusal):
    """The room has no seats with these ids."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SEAT_NOT_FOUND"

    def __init__(
        self,
        seat_ids: Sequence[int] = (),
        *,
        violations: Sequence[Violation] = (),
        **metadata: object,
    ) -> None:
        super().__init__(violations=violations, details=None, **metadata)
        self.seat_ids = seat_ids


class ReservationNotFound(Refusal):
    """There is no such reservation of seats."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "RESERVATION_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why seats cannot be had, and alternatives.

    `reasons` has `held`, `sold`, `blocked` or `orphan` for each refused seat, `orphans` the single
    seats that would be left, `left` the number of free seats. `alternatives` are the best free
    seats, `groups` further groups.
    """

    reasons: Mapping[int, str] = field(default_factory=dict)
    free_again_at: datetime | None = None
    orphans: Sequence[int] = ()
    left: int = 0
    alternatives: Sequence[int] = ()
    groups: Sequence[Sequence[int]] = ()


class SeatsUnavailable(Refusal):
    """Some of the seats are held, sold or blocked, or a single seat would be left alone.

    The refusal describes its seats with the event's `plan` and `prices`.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "SEATS_UNAVAILABLE"

    def __init__(
        self,
        shortage: Shortage | None = None,
        plan: Plan | None = None,
        prices: Prices | None = None,
        *,
        violations: Sequence[Violation] = (),
        **metadata: object,
    ) -> None:
        super().__init__(violations=violations, details=None, **metadata)
        self.shortage = shortage or Shortage()
        self.plan = plan
        self.prices = prices or Prices()


class HoldEnded(Refusal):
    """The hold has ended."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "HOLD_EXPIRED"


class InvalidTransition(Refusal):
    """The reservation is confirmed, and cannot be released."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "INVALID_TRANSITION"


class TooManyHolds(Refusal):
    """The user holds too many seats, or has let too many holds end; has `retry_after_seconds`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"
