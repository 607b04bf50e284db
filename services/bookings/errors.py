"""The refusals of bookings.

    kit.errors.Refusal
    ├── EventNotFound        NOT_FOUND            EVENT_NOT_FOUND
    ├── EventNotBookable     FAILED_PRECONDITION  EVENT_NOT_BOOKABLE
    ├── AlreadyBooked        ALREADY_EXISTS       ALREADY_BOOKED, with `booking_id`
    ├── AlreadyWaiting       ALREADY_EXISTS       ALREADY_WAITING, with `position`
    ├── SoldOut              FAILED_PRECONDITION  SOLD_OUT, with `seats_left` of several asked for
    ├── BookingNotFound      NOT_FOUND            BOOKING_NOT_FOUND
    ├── AlreadyCancelled     FAILED_PRECONDITION  ALREADY_CANCELLED
    ├── ScreeningNotFound    NOT_FOUND            SCREENING_NOT_FOUND
    ├── SeatNotFound         NOT_FOUND            SEAT_NOT_FOUND, with the ids
    ├── ReservationNotFound  NOT_FOUND            RESERVATION_NOT_FOUND
    ├── SeatsUnavailable     FAILED_PRECONDITION  SEATS_UNAVAILABLE, with a Shortage
    ├── HoldEnded            FAILED_PRECONDITION  HOLD_EXPIRED
    ├── TicketNotFound       NOT_FOUND            TICKET_NOT_FOUND
    ├── NoCalendar           NOT_FOUND            NOT_FOUND
    ├── UserNotFound         NOT_FOUND            USER_NOT_FOUND
    ├── AwaitingPayment      FAILED_PRECONDITION  AWAITING_PAYMENT
    ├── TicketRevoked        FAILED_PRECONDITION  TICKET_REVOKED
    ├── WrongEvent           FAILED_PRECONDITION  WRONG_EVENT
    ├── NotYetValid          FAILED_PRECONDITION  NOT_YET_VALID
    ├── DoorsClosed          FAILED_PRECONDITION  EXPIRED
    ├── AlreadyUsed          FAILED_PRECONDITION  ALREADY_USED, with the time
    ├── InvalidTicketCode    INVALID_ARGUMENT     INVALID_TICKET_CODE
    ├── PaymentNotFound      NOT_FOUND            PAYMENT_NOT_FOUND
    ├── AlreadyPaid          FAILED_PRECONDITION  ALREADY_PAID
    ├── PaymentUnderWay      ABORTED              REQUEST_IN_PROGRESS
    ├── PaymentDeclined      FAILED_PRECONDITION  PAYMENT_DECLINED
    ├── ProviderNotFound     NOT_FOUND            NOT_FOUND
    ├── WebhookRejected      INVALID_ARGUMENT     BAD_REQUEST
    ├── InvalidTransition    FAILED_PRECONDITION  INVALID_TRANSITION
    ├── TooManyHolds         RESOURCE_EXHAUSTED   RATE_LIMITED
    ├── TooSlow              RESOURCE_EXHAUSTED   RATE_LIMITED
    ├── QueueRequired        FAILED_PRECONDITION  QUEUE_REQUIRED, with the path of the `queue`
    ├── QueueOff             FAILED_PRECONDITION  QUEUE_OFF
    ├── QueueEntryNotFound   NOT_FOUND            QUEUE_ENTRY_NOT_FOUND
    └── HistoryGone          OUT_OF_RANGE         HISTORY_GONE, received from events

Contradiction is no refusal: what was loaded of an event cannot be true.

Refusals by the inventory carry `inventory_revision`, the revision at which they were true.
EventNotFound and ScreeningNotFound carry nothing, so a hidden event looks like one that does not
exist.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import grpc

from services.bookings.seating.plan import Plan
from services.bookings.seating.prices import Prices
from services.kit.rpc.errors import Refusal, RequestInProgress, Violation


class Contradiction(Exception):  # noqa: N818 - it names what was found
    """The stored rows of an event contradict each other, so nothing can be decided."""


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


class ScreeningNotFound(Refusal):
    """There is no such screening, or the event has no assigned seats."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "SCREENING_NOT_FOUND"


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


class TicketNotFound(Refusal):
    """There is no such ticket."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "TICKET_NOT_FOUND"


class NoCalendar(Refusal):
    """It is not known when the event of the ticket starts."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class UserNotFound(Refusal):
    """No account has this address."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "USER_NOT_FOUND"


class AwaitingPayment(Refusal):
    """The ticket is not paid yet."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "AWAITING_PAYMENT"


class TicketRevoked(Refusal):
    """The ticket admits nobody any longer."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TICKET_REVOKED"


class WrongEvent(Refusal):
    """The ticket is for another event, or for one that is not the caller's."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "WRONG_EVENT"


class NotYetValid(Refusal):
    """The doors of the event are not open yet."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "NOT_YET_VALID"


class DoorsClosed(Refusal):
    """The doors of the event are closed."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "EXPIRED"


class AlreadyUsed(Refusal):
    """Somebody was admitted with this code already.

    `is_double` is whether the scan that is refused has let in somebody else.
    """

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ALREADY_USED"

    def __init__(
        self,
        *,
        used_at: datetime | None = None,
        is_double: bool = False,
        violations: Sequence[Violation] = (),
        **metadata: object,
    ) -> None:
        super().__init__(violations=violations, details=None, **metadata)
        self.used_at = used_at
        self.is_double = is_double


class InvalidTicketCode(Refusal):
    """No key of ours has signed this code."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_TICKET_CODE"


class PaymentNotFound(Refusal):
    """There is no such payment."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "PAYMENT_NOT_FOUND"


class AlreadyPaid(Refusal):
    """The booking is paid already, or costs nothing."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ALREADY_PAID"


class PaymentUnderWay(RequestInProgress):
    """A payment of this booking is under way."""


class PaymentDeclined(Refusal):
    """The provider took no money."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "PAYMENT_DECLINED"


class ProviderNotFound(Refusal):
    """There is no such payment provider."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class WebhookRejected(Refusal):
    """The event was not signed by the provider, or too long ago, or in the future."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "BAD_REQUEST"


class InvalidTransition(Refusal):
    """The reservation is confirmed, and cannot be released."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "INVALID_TRANSITION"


class TooManyHolds(Refusal):
    """The user holds too many seats, or has let too many holds end; has `retry_after_seconds`."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


class TooSlow(Refusal):
    """Too many changes wait for the caller; watch again from the last revision."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMITED"


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


class HistoryGone(Refusal):
    """The catalogue's changes no longer reach back that far."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "HISTORY_GONE"


class ChangesGone(Refusal):
    """The changes after this cursor are no longer kept."""

    code = grpc.StatusCode.OUT_OF_RANGE
    reason = "CHANGES_GONE"


class WebhookNotFound(Refusal):
    """There is no such webhook."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "WEBHOOK_NOT_FOUND"


class TooManyWebhooks(Refusal):
    """The account has as many webhooks as one may have."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "TOO_MANY_WEBHOOKS"
