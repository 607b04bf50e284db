"""Refusals about tickets and those who come with them."""

from collections.abc import Sequence
from datetime import datetime

import grpc

from services.kit.rpc.errors import Refusal, Violation


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
