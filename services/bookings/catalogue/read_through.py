"""Reads events that bookings does not know from the catalogue."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import psycopg
import structlog

from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory
from services.kit.concurrency.single_flight import SingleFlight
from services.kit.rpc.errors import Refusal, Unavailable

Name = int | str
"""The number or the key of an event."""
Fetch = Callable[[Name], Awaitable[EventState]]
NameT = TypeVar("NameT", int, str)

log = structlog.get_logger()


class Catalogue:
    """Fetches the states of events and applies them to the inventory.

    `fetch` gets the state of an event by its number or key; it raises EventNotFound, or another
    Refusal if the catalogue does not answer. Absence is not cached, so an event that was just
    created is found.
    """

    def __init__(self, fetch: Fetch, inventory: Inventory) -> None:
        self._fetch = fetch
        self._inventory = inventory
        self._apply = SingleFlight(self._fetch_and_apply)

    async def learn(self, events: Collection[NameT]) -> dict[NameT, Refusal]:
        """Fetches events; returns a refusal for each event that is missing or cannot be fetched."""
        learned = await asyncio.gather(*map(self._learn, events))
        return {event: refusal for event, refusal in zip(events, learned, strict=True) if refusal}

    async def _learn(self, event: Name) -> Refusal | None:
        """Fetches an event, together with other callers who need it."""
        joined = event in self._apply
        refusal = await self._outcome(event)
        if joined and isinstance(refusal, EventNotFound):
            # The shared fetch may have begun before the event was created: fetch again.
            return await self._outcome(event)
        return refusal

    async def _outcome(self, event: Name) -> Refusal | None:
        """Fetches an event, or joins a fetch under way; returns the refusal if that failed."""
        try:
            await self._apply(event)
        except EventNotFound as refusal:
            return refusal
        except Refusal:
            return Unavailable()
        except psycopg.Error as error:
            log.warning("event not fetched", event_named=event, error=str(error).strip())
            return Unavailable()
        return None

    async def _fetch_and_apply(self, event: Name) -> None:
        await self._inventory.apply(await self._fetch(event))
