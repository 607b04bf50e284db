"""How long seats are held, and how many a user may hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """A hold ends after `seconds`; an extended one `extended_seconds` after it was made.

    A user holds at most `seats` of an event at a time. An account has to wait if `ended` of its
    holds ended unconfirmed within the last `ended_within_seconds`.
    """

    seconds: int = 600
    extended_seconds: int = 1_800
    seats: int = 10
    ended: int = 3
    ended_within_seconds: int = 300
