"""Sends many asks at once to several replicas of the reservations."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Outcome
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from tests.services.bookings.asking import seat

REPLICAS = 4


def kinds(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Counts outcomes by type."""
    return Counter(type(outcome).__name__ for outcome in outcomes)


def replicas(pool: Pool, catalogue: Catalogue, count: int = REPLICAS) -> list[Reservations]:
    """Makes reservations with lanes of their own, as several processes have."""
    return [Reservations(Inventory(pool), catalogue) for _ in range(count)]


async def rush(offices: Sequence[Reservations], asks: Sequence[Ask]) -> list[Outcome]:
    """Sends each ask as a call of its own, all at once, spread over the replicas."""
    asked = (offices[number % len(offices)].decide([ask]) for number, ask in enumerate(asks))
    return [outcome for [outcome] in await asyncio.gather(*asked)]


def buyers(count: int, event_id: int = 1) -> list[Ask]:
    """Makes an ask for a seat for each of `count` users."""
    return [seat(event_id, f"user-{number}") for number in range(count)]
