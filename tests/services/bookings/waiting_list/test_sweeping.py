from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list.waiting_list import Standing, WaitingList
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Internal
from tests.conftest import Database
from tests.services.bookings.asking import seat_by_key, summaries
from tests.services.bookings.conftest import clock_forward, concert, drift
from tests.services.bookings.waiting_list.conftest import KEY, PRICED, book, cancel, left, show


@pytest.mark.parametrize("swept", [True, False])
async def test_an_offer_that_ends_goes_to_the_next(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    database: Database,
    swept: bool,
) -> None:
    """An ended offer could be accepted, or its seat wait for the sweeper."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await cancel(inventory, "a")
    clock_forward(database, seconds=2 * 3600 + 1)
    assert await line.standing(1, "b") == Standing("none")
    if swept:
        await inventory.sweep()
    else:
        refusal = await cancel(inventory, "b", key="k")
        ended = await line.changes(1, 0)
        assert (refusal.reason, ended[-2].state) == ("ALREADY_CANCELLED", "EXPIRED")
        assert refusal.metadata["inventory_revision"] == str(ended[-1].rev)
    assert (await line.entry(1, "b")).state == "EXPIRED"
    assert (await line.standing(1, "c")).status == "offered"
    assert summaries(await book(reservations, "b")) == [1]
    assert drift(database) == []


async def test_a_broken_event_does_not_stop_the_sweeper(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """One event with wrong rows would keep offers of all others open, or stay unnoticed."""
    for number, key, users in ((1, "broken", "ab"), (2, KEY, "abc")):
        await inventory.apply(concert(number, capacity=1, key=key, **PRICED))
        await reservations.decide([seat_by_key(number, user) for user in users])
        await cancel(inventory, "a", event_id=number)
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("UPDATE bookings.inventory SET held = 0 WHERE event_id = 1")
    clock_forward(database, seconds=2 * 3600 + 1)
    with pytest.raises(Internal):
        await inventory.sweep()
    assert (await line.entry(2, "b")).state == "EXPIRED"
    assert (await line.standing(2, "c")).status == "offered"


async def test_the_sweeper_passes_over_what_is_locked(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """The sweeper would wait for one locked event while offers of others stay held."""
    for number, key in ((1, "busy"), (2, KEY)):
        await inventory.apply(concert(number, capacity=1, key=key, **PRICED))
        await reservations.decide([seat_by_key(number, user) for user in "ab"])
        await cancel(inventory, "a", event_id=number)
    clock_forward(database, seconds=2 * 3600 + 1)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        assert not await inventory.sweep()
    assert (await line.entry(1, "b")).state == "OFFERED"
    assert (await line.entry(2, "b")).state == "EXPIRED"
    await inventory.sweep()
    assert (await line.entry(1, "b")).state == "EXPIRED"


async def test_an_offer_that_ended_does_not_count(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """A seat would be shown as taken after its offer ended, or as free while users wait."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await cancel(inventory, "a")

    clock_forward(database, seconds=2 * 3600 + 1)
    assert await left(inventory) == (0, 1)
    clock_forward(database, seconds=0)
    await cancel(inventory, "c")
    assert await left(inventory) == (0, 0)
    clock_forward(database, seconds=2 * 3600 + 1)
    assert await left(inventory) == (1, 0)
    assert drift(database) == []


async def test_a_closed_event_sends_everybody_home(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Users would keep waiting for a closed event, or their entries stay stored as waiting."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await cancel(inventory, "a")
    await inventory.apply(show(capacity=1, rev=2, status="CANCELLED"))
    assert await line.standing(1, "c") == Standing("none")
    assert (await line.entry(1, "c")).state == "EXPIRED"
    assert summaries(await book(reservations, "d")) == ["EVENT_NOT_BOOKABLE"]
    while await inventory.close_chunk():
        pass
    assert (await line.entry(1, "b")).state == "EXPIRED"
    assert (await left(inventory))[1] == 0
    assert drift(database) == []


async def test_offers_last_as_long_as_the_service_says(
    pool: Pool, catalogue: Catalogue, database: Database
) -> None:
    """An offer without an end would keep a seat from everybody else."""
    inventory = Inventory(pool, offer_seconds=60)
    await inventory.apply(show(capacity=1, **PRICED))
    await book(Reservations(inventory, catalogue), "a", "b")
    line = WaitingList(pool)
    await cancel(inventory, "a")
    ends_at = (await line.standing(1, "b")).offer_expires_at
    assert ends_at is not None
    assert ends_at - datetime.now(UTC) < timedelta(seconds=60)
