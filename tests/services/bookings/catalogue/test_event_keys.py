import asyncio
from dataclasses import replace
from itertools import count

import psycopg
import pytest

from services.bookings.catalogue.event_keys import EventKeys
from services.bookings.catalogue.following import Follower
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import Inventory
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Unavailable
from tests.conftest import Database
from tests.services.bookings.conftest import POOL_SIZE, ScriptedCatalogue, concert
from tests.services.bookings.scripted_feed import ScriptedFeed


@pytest.fixture
def keys(pool: Pool, catalogue: Catalogue) -> EventKeys:
    """Returns event keys over the scripted catalogue."""
    return EventKeys(pool, catalogue)


async def test_a_key_is_no_number(inventory: Inventory, keys: EventKeys) -> None:
    """A key of digits would find the event of that number, or the other way round."""
    await inventory.apply(concert(1, key="2"))
    await inventory.apply(concert(2, key="jazz"))
    await inventory.apply(concert(3))
    assert await keys.find_all(["2", "jazz"]) == {"2": 1, "jazz": 2}
    with pytest.raises(EventNotFound):
        await keys.find("3")


async def test_an_event_that_is_unknown_here_is_learned_of(
    scripted: ScriptedCatalogue, inventory: Inventory, keys: EventKeys
) -> None:
    """Parallel requests for a new key would each ask events, or find nothing."""
    scripted.states[7] = concert(7, key="jazz")
    assert await asyncio.gather(*(keys.find("jazz") for _ in range(50))) == [7] * 50
    # A caller that joined the fetch late asks once more.
    assert len(scripted.fetched) <= POOL_SIZE
    assert await inventory.count_seats([7])


async def test_that_a_key_is_absent_is_not_remembered(
    scripted: ScriptedCatalogue, keys: EventKeys
) -> None:
    """An event would not be found that was initialized after a first request for its key."""
    with pytest.raises(EventNotFound):
        await keys.find("jazz")
    scripted.states[7] = concert(7, key="jazz")
    assert await keys.find("jazz") == 7


async def test_with_events_away_known_keys_are_found(
    scripted: ScriptedCatalogue, inventory: Inventory, keys: EventKeys
) -> None:
    """While events is down, known events would fail, or unknown ones be called missing."""
    await inventory.apply(concert(1, key="jazz"))
    scripted.refusal = Unavailable()
    found = await keys.find_all(["jazz", "rock"])
    assert found["jazz"] == 1
    assert isinstance(found["rock"], Unavailable)
    with pytest.raises(Unavailable):
        await keys.find("rock")


async def test_a_key_survives_every_later_state(inventory: Inventory, keys: EventKeys) -> None:
    """After a refused, applied or deleted state the key would name no event, or another one."""
    await inventory.apply(concert(1, key="jazz"))
    await inventory.apply(concert(1, key="jazz", rev=2, capacity=60))
    await inventory.apply(concert(1, key="jazz", rev=3, deleted=True))
    await inventory.apply(concert(1, key="jazz", rev=4))
    assert await keys.find("jazz") == 1


async def test_a_key_is_kept_in_memory_for_a_second(pool: Pool, catalogue: Catalogue) -> None:
    """Each request by key would wait for a query, and miss the transaction of its batch."""
    now = 0.0
    keys = EventKeys(pool, catalogue, timer=lambda: now)
    await Inventory(pool).apply(concert(1, key="jazz"))
    assert await keys.find("jazz") == 1
    async with pool.connection() as connection:
        await connection.execute("UPDATE inventory SET key = 'rock'")
    with pytest.raises(StopIteration) as found:  # returns without waiting
        keys.find("jazz").send(None)
    assert found.value.value == 1
    now = 1.0
    with pytest.raises(EventNotFound):
        await keys.find("jazz")


async def test_a_key_that_a_restored_catalogue_gives_anew_means_the_new_event(
    pool: Pool, catalogue: Catalogue, inventory: Inventory
) -> None:
    """After a restore a key would book the lost event instead of the new one."""
    seconds = count()
    keys = EventKeys(pool, catalogue, timer=lambda: next(seconds))
    feed = ScriptedFeed()
    follower = Follower(pool, feed, inventory)
    feed.publish(concert(1, key="jazz"))
    feed.publish(concert(2, key="rock"))
    while await follower.follow():
        pass
    assert await keys.find_all(["jazz", "rock"]) == {"jazz": 1, "rock": 2}
    feed.restore("second", concert(1_000_001, key="jazz"))
    while await follower.follow():
        pass
    assert await keys.find("jazz") == 1_000_001
    with pytest.raises(EventNotFound):
        await keys.find("rock")


async def test_the_newest_of_two_events_has_the_key(
    pool: Pool, database: Database, inventory: Inventory, keys: EventKeys
) -> None:
    """A key would name the lost event instead of the new one until the lost one is closed."""
    await inventory.apply(concert(1_000_001, key="jazz"))
    await inventory.apply(replace(concert(5, key="jazz"), epoch="lost"))
    assert await keys.find("jazz") == 1_000_001


async def test_keys_are_found_by_their_index(database: Database) -> None:
    """Each look-up of a key would scan the table of events."""
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute("SET search_path TO bookings")
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT key, max(event_id) FROM inventory"
            " WHERE key = ANY (ARRAY['a', 'b']) GROUP BY key"
        ).fetchall()
    assert any("inventory_by_key" in line for (line,) in plan)
