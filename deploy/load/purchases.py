"""Purchases of made-up buyers, and what the system told them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.load.client import Answer
from deploy.load.series import Kind


class Outcome(StrEnum):
    """What a buyer was told."""

    UNSENT = "unsent"
    """Nothing was sent."""
    NOT_DONE = "not_done"
    """The last response was that nothing was done."""
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """Nobody knows whether there is a booking; asking again with the same key tells."""
    UNSETTLED = "unsettled"
    """A later step, such as paying, was repeated in vain: nobody knows what became of it."""
    HELD = "held"
    BOOKED = "booked"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Purchase:
    """What a buyer asked for, and what is known of it.

    `was_unknown` is true once a response was lost, even if another one told the outcome.
    """

    user_id: str
    wanted: int = 0
    """Seats of a room that are held; 0 to reserve one seat of any event."""
    outcome: Outcome = Outcome.UNSENT
    code: str = ""
    booking_id: int | None = None
    reference: str = ""
    seat_ids: Sequence[int] = ()
    was_unknown: bool = False

    def key(self, step: str) -> str:
        """Returns the idempotency key of a step, the same whenever the step is repeated."""
        return f"{self.user_id}-{step}"

    def is_sending(self) -> None:
        """Notes that a booking is asked for: from now on it may exist."""
        self.outcome = Outcome.UNKNOWN

    def learn(self, kind: Kind, answer: Answer | None) -> None:
        """Notes the response to a request for a booking."""
        if kind is Kind.UNKNOWN or answer is None:
            self.was_unknown = True
        elif kind is Kind.NOT_DONE:
            # An earlier request, whose response was lost, may have booked all the same.
            self.outcome = Outcome.UNKNOWN if self.was_unknown else Outcome.NOT_DONE
        elif kind is Kind.REFUSED:
            self.outcome, self.code = Outcome.REFUSED, answer.code
        else:
            self._learn_booking(answer.json)

    def _learn_booking(self, body: Any) -> None:
        is_held = body.get("status") == "HELD"
        self.outcome = Outcome.HELD if is_held else Outcome.BOOKED
        self.booking_id = body["booking_id"]
        self.reference = body.get("reservation_id", "")
        self.seat_ids = body.get("seat_ids") or ()
