"""How long seats are held, and how much of that a user may do."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """A hold ends after `seconds`, or when it was extended `extended_seconds` after it was made.

    A user holds at most `seats` of an event at a time. An account that has let `ended` holds end
    within `ended_within_seconds`, without a ticket, has to wait.
    """

    seconds: int = 600
    extended_seconds: int = 1_800
    seats: int = 10
    ended: int = 3
    ended_within_seconds: int = 300
