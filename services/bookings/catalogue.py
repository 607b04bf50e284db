"""The catalogue as bookings sees it: asked only about events that are not known here yet."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory
from services.kit.errors import Refusal, Unavailable

Fetch = Callable[[int], Awaitable[EventState]]


class Catalogue:
    """Reads through to events: what it learns is applied to the inventory.

    `fetch` gets the state of one event; it raises EventNotFound, or another Refusal when events
    cannot say. That an event is absent is never remembered, so one that was just created is found.
    """

    def __init__(self, fetch: Fetch, inventory: Inventory) -> None:
        self._fetch = fetch
        self._inventory = inventory
        self._flights: dict[int, asyncio.Task[None]] = {}

    async def learn(self, event_ids: Collection[int]) -> dict[int, Refusal]:
        """Learns of events; gives a refusal for each that does not exist or cannot be asked for."""
        learned = await asyncio.gather(*map(self._learn, event_ids))
        return {
            event_id: refusal
            for event_id, refusal in zip(event_ids, learned, strict=True)
            if refusal
        }

    async def _learn(self, event_id: int) -> Refusal | None:
        """Joins the flight that fetches this event, or starts it."""
        if event_id not in self._flights:
            flight = asyncio.create_task(self._fetch_and_apply(event_id))
            self._flights[event_id] = flight
            flight.add_done_callback(lambda _: self._flights.pop(event_id))
        try:
            await asyncio.shield(self._flights[event_id])
        except EventNotFound as refusal:
            return refusal
        except Refusal:
            return Unavailable()
        return None

    async def _fetch_and_apply(self, event_id: int) -> None:
        await self._inventory.apply(await self._fetch(event_id))
