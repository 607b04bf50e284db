"""Bookings of seats with a price, in the tables."""

from typing import Any

import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Outcome
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list.waiting_list import Standing, WaitingList
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, party, seat, seat_by_key, summaries
from tests.services.bookings.conftest import (
    clock_forward,
    concert,
    drift,
    mend_the_lock,
    take_out_the_lock,
)
from tests.services.bookings.rush import kinds, replicas, rush

PRICED: dict[str, Any] = {"price_amount_minor": 1250, "price_currency": "EUR"}
ADA = "acct_ada"
ROUNDS = 10
OTHERS = 8


async def test_an_unpaid_seat_goes_to_those_who_wait(
    inventory: Inventory, reservations: Reservations, pool: Pool, database: Database
) -> None:
    """The end of a hold would not be stored, or the sweeper leave its seat to nobody."""
    line = WaitingList(pool)
    await inventory.apply(concert(capacity=2, **PRICED))
    [held, _] = await booked(reservations, [seat(1, "ada"), party(1, "bob")])
    assert summaries(await reservations.decide([seat_by_key(1, "cy")])) == [1]
    assert await line.standing(1, "ada") == Standing("held", expires_at=held.expires_at)
    clock_forward(database, seconds=601)
    assert await line.standing(1, "ada") == Standing("none")
    await inventory.sweep()
    assert (await line.standing(1, "cy")).status == "offered"
    assert summaries(await reservations.decide([seat(1, "ada")])) == ["BOOKED"]
    assert drift(database) == []


async def test_holds_of_other_transactions_count(
    inventory: Inventory, reservations: Reservations, database: Database
) -> None:
    """A user would hold as many seats again with each request."""
    await inventory.apply(concert(**PRICED))
    for name in ("one", "other"):
        await booked(reservations, [seat_by_key(1, f"{name}-guest")])
    await booked(reservations, [party(1, ADA, 20)])
    assert summaries(await reservations.decide([party(1, ADA)])) == ["RATE_LIMITED"]
    clock_forward(database, seconds=601)
    assert summaries(await reservations.decide([party(1, ADA)])) == ["BOOKED"]
    assert drift(database) == []


async def test_many_requests_at_once_hold_no_more_seats(
    database: Database, pool: Pool, inventory: Inventory, catalogue: Catalogue
) -> None:
    """A user who sends requests to several replicas at once would hold more than allowed."""
    await inventory.apply(concert(capacity=500, **PRICED))
    outcomes = await _rush(pool, catalogue, 1)
    assert kinds(outcomes) == {"Booked": 1, "TooManyHolds": OTHERS - 1}
    assert drift(database) == []


async def test_without_the_lock_they_hold_more(
    database: Database, pool: Pool, catalogue: Catalogue
) -> None:
    """Negative control: the test above would pass without the lock."""
    take_out_the_lock(database)
    try:
        for event_id in range(1, ROUNDS + 1):
            await Inventory(pool).apply(concert(event_id, capacity=500, **PRICED))
            if kinds(await _rush(pool, catalogue, event_id))["Booked"] > 1:
                return
    finally:
        mend_the_lock()
    pytest.fail("nobody held too many seats")


async def _rush(pool: Pool, catalogue: Catalogue, event_id: int) -> list[Outcome]:
    return await rush(replicas(pool, catalogue), [party(event_id, ADA, 20)] * OTHERS)
