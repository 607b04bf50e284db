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
    ├── HistoryGone          OUT_OF_RANGE         HISTORY_GONE, received from events
    ├── ChangesGone          OUT_OF_RANGE         CHANGES_GONE
    ├── WebhookNotFound      NOT_FOUND            WEBHOOK_NOT_FOUND
    └── TooManyWebhooks      FAILED_PRECONDITION  TOO_MANY_WEBHOOKS

Contradiction is no refusal: what was loaded of an event cannot be true.

Refusals by the inventory carry `inventory_revision`, the revision at which they were true.
EventNotFound and ScreeningNotFound carry nothing, so a hidden event looks like one that does not
exist.
"""

from services.bookings.errors.bookings import (
    AlreadyBooked,
    AlreadyCancelled,
    AlreadyWaiting,
    BookingNotFound,
    QueueEntryNotFound,
    QueueOff,
    QueueRequired,
    SoldOut,
)
from services.bookings.errors.changes import (
    ChangesGone,
    TooManyWebhooks,
    TooSlow,
    WebhookNotFound,
)
from services.bookings.errors.events import (
    Contradiction,
    EventNotBookable,
    EventNotFound,
    HistoryGone,
    ScreeningNotFound,
)
from services.bookings.errors.payments import (
    AlreadyPaid,
    PaymentDeclined,
    PaymentNotFound,
    PaymentUnderWay,
    ProviderNotFound,
    WebhookRejected,
)
from services.bookings.errors.seats import (
    HoldEnded,
    InvalidTransition,
    ReservationNotFound,
    SeatNotFound,
    SeatsUnavailable,
    Shortage,
    TooManyHolds,
)
from services.bookings.errors.tickets import (
    AlreadyUsed,
    AwaitingPayment,
    DoorsClosed,
    InvalidTicketCode,
    NoCalendar,
    NotYetValid,
    TicketNotFound,
    TicketRevoked,
    UserNotFound,
    WrongEvent,
)

__all__ = [
    "AlreadyBooked",
    "AlreadyCancelled",
    "AlreadyPaid",
    "AlreadyUsed",
    "AlreadyWaiting",
    "AwaitingPayment",
    "BookingNotFound",
    "ChangesGone",
    "Contradiction",
    "DoorsClosed",
    "EventNotBookable",
    "EventNotFound",
    "HistoryGone",
    "HoldEnded",
    "InvalidTicketCode",
    "InvalidTransition",
    "NoCalendar",
    "NotYetValid",
    "PaymentDeclined",
    "PaymentNotFound",
    "PaymentUnderWay",
    "ProviderNotFound",
    "QueueEntryNotFound",
    "QueueOff",
    "QueueRequired",
    "ReservationNotFound",
    "ScreeningNotFound",
    "SeatNotFound",
    "SeatsUnavailable",
    "Shortage",
    "SoldOut",
    "TicketNotFound",
    "TicketRevoked",
    "TooManyHolds",
    "TooManyWebhooks",
    "TooSlow",
    "UserNotFound",
    "WebhookNotFound",
    "WebhookRejected",
    "WrongEvent",
]
