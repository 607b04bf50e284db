"""A database that was one PostgreSQL goes on as a cluster where it was."""

from collections import Counter
from datetime import timedelta
from typing import cast

import pytest

from services.bookings.catalogue.read_through import Catalogue
from services.bookings.feed.changes import Changes
from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory
from services.bookings.rankings.distributed import DistributedRankings
from services.bookings.rankings.rankings import Rankings
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from tests import citus
from tests.conftest import Database
from tests.databases import ReusedDatabase
from tests.pools import patient_pool
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert
from tests.services.bookings.feed.reader import Reader
from tests.services.bookings.rankings.conftest import roll_up, tallies, top


@pytest.fixture
def undistributed(request: pytest.FixtureRequest, reused_database: ReusedDatabase) -> Database:
    """Returns a database that is not distributed."""
    if not citus.URL:
        return cast("Database", request.getfixturevalue("database"))
    reused_database.close()
    return citus.migrated()


async def test_nothing_is_counted_or_listed_twice_or_never(undistributed: Database) -> None:
    """The numbers of transactions mean nothing any more, and the revisions are not known yet."""
    reader = Reader()
    async with patient_pool(undistributed.bookings_dsn, schema="bookings", size=4) as pool:
        inventory = Inventory(pool, distributed=False)
        reservations = Reservations(inventory, Catalogue(ScriptedCatalogue().fetch, inventory))
        for event_id in (1, 2, 3):
            await inventory.apply(concert(event_id))
        [cancelled, *_] = await booked(
            reservations, [seat(1, "ada"), seat(2, "ada"), seat(2, "bob")]
        )
        await Tail(pool).advance()
        await reader.read(Changes(pool))
        await Tail(pool, keep=timedelta(0)).forget()
        await roll_up(Rankings(pool, roll_up_chunk=2))
        # What comes now is neither in the feed nor in the tallies, and event 4 is new to both.
        await inventory.apply(concert(4))
        await booked(reservations, [seat(3, "ada"), seat(4, "eve"), seat(2, "eve")])
        await Cancellations(pool, inventory).cancel(cancelled.id)

    for _ in range(2):
        citus.distribute(undistributed.owner_dsn)

    async with patient_pool(undistributed.bookings_dsn, schema="bookings", size=4) as pool:
        inventory = Inventory(pool)
        tail, rankings = DistributedTail(pool), DistributedRankings(pool)
        expected = [(1, "ada", 2), (1, "eve", 2), (3, "bob", 1)]
        assert await top(rankings) == expected
        await roll_up(rankings)
        assert await top(rankings) == expected
        await inventory.decide([seat(1, "fay")])
        await tail.advance()
        await tail.advance()
        await roll_up(rankings)
        await reader.read(Changes(pool))
    assert reader.revs == {1: [1, 2, 3, 4], 2: [1, 2, 3, 4], 3: [1, 2], 4: [1, 2]}
    assert tallies(undistributed) == Counter({"ada": 2, "eve": 2, "bob": 1, "fay": 1})
