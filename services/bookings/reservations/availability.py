"""How many seats events have left; an event that is not known here yet is learned of first."""

from collections.abc import Collection, Sequence

from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import Inventory, Seats
from services.kit.rpc.errors import Refusal, Unavailable


class Availability:
    """Counts seats. Events that the viewer may not see are not found."""

    def __init__(self, inventory: Inventory, catalogue: Catalogue) -> None:
        self._inventory = inventory
        self._catalogue = catalogue

    async def count(self, event_ids: Collection[int], viewer: Viewer) -> dict[int, Seats | Refusal]:
        """Counts the seats of each event for one viewer, or tells why it cannot."""
        asked = [(event_id, viewer) for event_id in event_ids]
        return dict(zip(event_ids, await self.count_each(asked), strict=True))

    async def count_each(self, asked: Sequence[tuple[int, Viewer]]) -> list[Seats | Refusal]:
        """Counts the seats for each pair of an event and its viewer, or tells why it cannot."""
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
