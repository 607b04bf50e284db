"""Books seats of events by number."""

from collections.abc import Sequence

import structlog

from services.bookings.access import Viewer
from services.bookings.asks import idempotency_key
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.batches import failed_outcomes
from services.bookings.inventory.commands import Outcome, Reserve, UnknownEvent
from services.bookings.managing import ask_type
from services.bookings.reservations import messages

log = structlog.get_logger()


class Reservations:
    """Books seats; reads unknown events from the catalogue first."""

    def __init__(self, inventory: Inventory, catalogue: Catalogue) -> None:
        self._inventory = inventory
        self._catalogue = catalogue

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """Decides asks, those for unknown events last; see Lane.decide."""
        outcomes = await self._inventory.decide(asks, skip_busy=skip_busy)
        unknown = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, UnknownEvent)]
        if unknown:
            decided = await self._decide_unknown([asks[i] for i in unknown], skip_busy=skip_busy)
            for index, outcome in zip(unknown, decided, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _decide_unknown(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        """Reads unknown events from the catalogue and decides the asks for them.

        A failure is the outcome of these asks only: all others are committed, and their callers
        need their outcomes.
        """
        try:
            missing = await self._catalogue.learn({ask.command.event_id for ask in asks})
            learned = [ask for ask in asks if ask.command.event_id not in missing]
            decided = iter(await self._inventory.decide(learned, skip_busy=skip_busy))
        except Exception as error:
            log.exception("asks for unknown events failed", commands=len(asks))
            return failed_outcomes(error, len(asks))
        return [missing.get(ask.command.event_id) or next(decided) for ask in asks]


def reserve(
    event_id: int, user_id: str, viewer: Viewer, request_id: str = "", queue_token: str = ""
) -> Ask:
    """Makes an ask for one seat.

    The user may have one such booking of the event, unless the event has its own rule.
    """
    key = idempotency_key(viewer, "reserve", request_id, event_id, user_id, 1)
    command = Reserve(event_id, user_id, viewer=viewer, queue_token=queue_token)
    return ask_type(viewer, user_id)(command, key, messages.reserve_response)


def create(
    event_id: int, user_id: str, seat_count: int, viewer: Viewer, request_id: str = ""
) -> Ask:
    """Makes an ask for seats.

    The user may have any number of such bookings, unless the event has its own rule.
    """
    key = idempotency_key(viewer, "create_booking", request_id, event_id, user_id, seat_count)
    command = Reserve(event_id, user_id, seat_count, exclusive=False, viewer=viewer)
    return Ask(command, key, messages.create_response)
