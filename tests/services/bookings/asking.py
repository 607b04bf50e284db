"""Makes the asks of the RPCs, for tests."""

from collections.abc import Sequence
from typing import TypeVar

from google.protobuf.message import Message

from services.bookings.access import Viewer
from services.bookings.asks import Decider, answer
from services.bookings.inventory import Ask
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Booked, Outcome, Waiting
from services.bookings.reservations import reservations
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list import booking
from services.kit.auth.authentication import ANONYMOUS
from services.kit.rpc.errors import Refusal

ResponseT = TypeVar("ResponseT", bound=Message)
GUEST = Viewer(ANONYMOUS, open_access=True)


def seat(event_id: int, user_id: str, *, key: str = "", viewer: Viewer = GUEST) -> Ask:
    """Makes an ask for one seat, as Reserve does."""
    return reservations.reserve(event_id, user_id, viewer, key)


def party(
    event_id: int, user_id: str, seat_count: int = 1, *, key: str = "", viewer: Viewer = GUEST
) -> Ask:
    """Makes an ask for seats of a user who may book again, as CreateBooking does."""
    return reservations.create(event_id, user_id, seat_count, viewer, key)


def seat_by_key(
    event_id: int, user_id: str, seat_count: int = 1, *, key: str = "", viewer: Viewer = GUEST
) -> Ask:
    """Makes an ask by the key of an event for seats or a place in line, as Book does."""
    return booking.book((f"event-{event_id}", event_id), user_id, seat_count, viewer, key)


async def response_to(
    decider: Decider, ask: Ask | Refusal, response: type[ResponseT]
) -> ResponseT | Refusal:
    """Decides an ask and returns its response or refusal, as a servicer does."""
    [answered] = await answer(decider, [ask], response, skip_busy=False)
    if isinstance(answered, Refusal):
        return answered
    return response.FromString(
        answered if isinstance(answered, bytes) else answered.SerializeToString()
    )


async def booked(office: Reservations, asks: Sequence[Ask]) -> list[Booking]:
    """Books all that is asked for; returns the bookings."""
    outcomes = await office.decide(asks)
    made = [outcome.booking for outcome in outcomes if isinstance(outcome, Booked)]
    assert len(made) == len(asks), outcomes
    return made


def summaries(outcomes: Sequence[Outcome]) -> list[object]:
    """Returns of each outcome what tests compare: a position, a reason, or else the type."""
    return list(map(_summary, outcomes))


def _summary(outcome: Outcome) -> object:
    if isinstance(outcome, Waiting):
        return outcome.position
    return outcome.reason if isinstance(outcome, Refusal) else type(outcome).__name__.upper()
