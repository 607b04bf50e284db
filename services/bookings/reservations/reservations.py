"""Asking for seats: requests as commands, and events that are not known here yet."""

from collections.abc import Sequence
from functools import partial

import structlog

from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Book, Outcome, Reserve, UnknownEvent
from services.bookings.inventory.lane import failures
from services.bookings.inventory.transaction import Answer
from services.bookings.reservations import responses
from services.kit.database.idempotency import Key, fingerprint

log = structlog.get_logger()


class Reservations:
    """Books seats. Uses the catalogue for events that are not known here yet."""

    def __init__(self, inventory: Inventory, catalogue: Catalogue) -> None:
        self._inventory = inventory
        self._catalogue = catalogue

    async def decide(self, asks: Sequence[Ask], *, skip_busy: bool = False) -> list[Outcome]:
        """Decides asks; see Lane.decide. Those for events that are not known yet come last."""
        outcomes = await self._inventory.decide(asks, skip_busy=skip_busy)
        unknown = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, UnknownEvent)]
        if unknown:
            decided = await self._decide_unknown([asks[i] for i in unknown], skip_busy=skip_busy)
            for index, outcome in zip(unknown, decided, strict=True):
                outcomes[index] = outcome
        return outcomes

    async def _decide_unknown(self, asks: Sequence[Ask], *, skip_busy: bool) -> list[Outcome]:
        """Decides asks for events that are not known here yet.

        If that fails, it fails for these alone: the others must hear what became of them.
        """
        try:
            missing = await self._catalogue.learn({ask.command.event_id for ask in asks})
            learned = [ask for ask in asks if ask.command.event_id not in missing]
            decided = iter(await self._inventory.decide(learned, skip_busy=skip_busy))
        except Exception as error:
            log.exception("asks for unknown events failed", commands=len(asks))
            return failures(error, len(asks))
        return [missing.get(ask.command.event_id) or next(decided) for ask in asks]


def reserve(event_id: int, user_id: str, viewer: Viewer, request_id: str = "") -> Ask:
    """Asks for one seat for a user who may have one booking, unless the event says otherwise."""
    command = Reserve(event_id, user_id, viewer=viewer)
    return _ask(command, "reserve", viewer, request_id, responses.reserve_response)


def create(
    event_id: int, user_id: str, seat_count: int, viewer: Viewer, request_id: str = ""
) -> Ask:
    """Asks for seats for a user who may have any number of bookings, unless the event says so."""
    command = Reserve(event_id, user_id, seat_count, exclusive=False, viewer=viewer)
    return _ask(command, "create_booking", viewer, request_id, responses.create_response)


def book(
    event: tuple[str, int],
    user_id: str,
    seat_count: int,
    viewer: Viewer,
    request_id: str = "",
) -> Ask:
    """Asks for seats of an event, given by its key and its number, or for a place in its line."""
    event_key, event_id = event
    command = Book(event_id, user_id, seat_count, viewer)
    answer = partial(responses.ticket_response, event_key)
    return _ask(command, "book_ticket", viewer, request_id, answer)


def _ask(
    command: Reserve | Book, operation: str, viewer: Viewer, request_id: str, answer: Answer
) -> Ask:
    key: Key | None = None
    if request_id:
        asked = fingerprint(operation, command.event_id, command.user_id, command.seat_count)
        key = Key(viewer.key_owner, operation, request_id, asked)
    return Ask(command, key, answer)
