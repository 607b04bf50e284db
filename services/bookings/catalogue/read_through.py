"""The catalogue as bookings sees it: asked only about events that are not known here yet."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

import psycopg
import structlog

from services.bookings.errors import EventNotFound
from services.bookings.inventory import EventState, Inventory
from services.kit.rpc import context
from services.kit.rpc.errors import Refusal, Unavailable

Name = int | str
"""The number or the key of an event."""
Fetch = Callable[[Name], Awaitable[EventState]]
NameT = TypeVar("NameT", int, str)

log = structlog.get_logger()


class Catalogue:
    """Reads through to events: what it learns is applied to the inventory.

    `fetch` gets the state of one event by its number or key; it raises EventNotFound, or another
    Refusal when events cannot say. That an event is absent is never remembered, so one that was
    just created is found.
    """

    def __init__(self, fetch: Fetch, inventory: Inventory) -> None:
        self._fetch = fetch
        self._inventory = inventory
        self._flights: dict[Name, asyncio.Task[None]] = {}

    async def learn(self, events: Collection[NameT]) -> dict[NameT, Refusal]:
        """Learns of events; gives a refusal for each that does not exist or cannot be asked for."""
        learned = await asyncio.gather(*map(self._learn, events))
        return {event: refusal for event, refusal in zip(events, learned, strict=True) if refusal}

    async def _learn(self, event: Name) -> Refusal | None:
        """Joins the flight that fetches this event, or starts it."""
        joined = event in self._flights
        refusal = await self._landed(event)
        if joined and isinstance(refusal, EventNotFound):
            # That flight may have asked before the event was made; the next one has not left yet.
            return await self._landed(event)
        return refusal

    async def _landed(self, event: Name) -> Refusal | None:
        """Waits for the flight; a waiter who gives up leaves it to the others."""
        if event not in self._flights:
            flight = asyncio.create_task(self._fetch_and_apply(event))
            self._flights[event] = flight
            flight.add_done_callback(lambda _: self._flights.pop(event))
        try:
            await asyncio.shield(self._flights[event])
        except EventNotFound as refusal:
            return refusal
        except Refusal:
            return Unavailable()
        except psycopg.Error as error:
            log.warning("event not learned of", event_named=event, error=str(error).strip())
            return Unavailable()
        return None

    async def _fetch_and_apply(self, event: Name) -> None:
        # Others wait for it too, and longer than the caller who happened to start it.
        context.set_deadline(None)
        await self._inventory.apply(await self._fetch(event))
