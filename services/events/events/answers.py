"""What a change is answered with, and what a key remembers of it."""

from dataclasses import dataclass
from typing import TypeVar

from services.events.events.revisions import Event
from services.kit.rpc.errors import Refusal


@dataclass(frozen=True, slots=True)
class Shown:
    """An event as a client sees it; `available_seats` is None when bookings cannot be asked."""

    event: Event
    available_seats: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """An event is gone, and so many live bookings with it."""

    event_id: int
    cancelled_bookings: int


@dataclass(frozen=True, slots=True)
class Initialized:
    """An event is there, made just now or before; None where bookings cannot be asked."""

    event: Event
    is_new: bool
    available_seats: int | None
    waiting: int | None


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored answer of an earlier request with the same key."""

    refused: bool
    answer: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """The change is written down and waits for bookings.

    `revision` is the one that it will have; None when an earlier request with the key made it.
    """

    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Uncounted:
    """The change is committed, and its free seats are not counted yet: nobody is answered this."""

    shown: Shown


Outcome = Shown | Deleted | Initialized | Refusal
"""What came of a request, for good."""

Written = Outcome | Pending | Uncounted
"""What the transaction of a request wrote."""

AnswerT = TypeVar("AnswerT", Shown, Deleted, Initialized)


def answer(outcome: Written | Replay, expected: type[AnswerT]) -> AnswerT | Replay:
    """Gives a success of the expected kind, or its replay; raises a refusal."""
    if isinstance(outcome, Refusal):
        raise outcome
    if not isinstance(outcome, expected | Replay):
        raise TypeError(f"no answer to this request: {outcome}")
    return outcome
