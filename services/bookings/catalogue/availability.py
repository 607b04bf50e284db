"""Counts the free seats of the events that a viewer may see."""

from collections.abc import Collection, Sequence

from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import Inventory, Seats
from services.kit.rpc.errors import Refusal, Unavailable


class Availability:
    """Counts free seats; reads unknown events from the catalogue first."""

    def __init__(self, inventory: Inventory, catalogue: Catalogue) -> None:
        self._inventory = inventory
        self._catalogue = catalogue

    async def get(self, event_id: int, viewer: Viewer) -> Seats:
        """Counts the seats of one event.

        Raises EventNotFound for an event that the viewer may not see, and Unavailable.
        """
        [seats] = await self.count_each([(event_id, viewer)])
        if isinstance(seats, Refusal):
            raise seats
        return seats

    async def count(self, event_ids: Collection[int], viewer: Viewer) -> dict[int, Seats | Refusal]:
        """Counts the seats of each event for one viewer; returns refusals in place of raising."""
        asked = [(event_id, viewer) for event_id in event_ids]
        return dict(zip(event_ids, await self.count_each(asked), strict=True))

    async def count_each(self, asked: Sequence[tuple[int, Viewer]]) -> list[Seats | Refusal]:
        """Counts the seats for each pair of event and viewer, in one snapshot if possible."""
        event_ids = {event_id for event_id, _ in asked}
        known = await self._inventory.count_seats(event_ids)
        unknown = event_ids - known.keys()
        missing = await self._catalogue.learn(unknown) if unknown else {}
        if learned := unknown - missing.keys():
            known |= await self._inventory.count_seats(learned)
        return [
            missing.get(event_id) or _visible(known.get(event_id), viewer)
            for event_id, viewer in asked
        ]


def _visible(seats: Seats | None, viewer: Viewer) -> Seats | Refusal:
    if seats is None:
        return Unavailable()
    if seats.is_deleted or (seats.is_draft and not viewer.owns(seats.organizer_id)):
        return EventNotFound()
    return seats
