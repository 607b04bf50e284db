"""What can only happen where events lie on several nodes, played on one PostgreSQL."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from services.bookings.inventory import Inventory
from services.bookings.inventory.closing import Closing
from services.bookings.rankings import distributed
from services.bookings.rankings.distributed import SQL, DistributedRankings
from services.bookings.rankings.rankings import Rankings, load
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Connection, Pool
from tests.conftest import Database
from tests.services.bookings.conftest import concert
from tests.services.bookings.rankings.conftest import RANKINGS, book, roll_up, tallies, top

LATE = """
    WITH counted AS (
        UPDATE inventory
        SET rev = rev + 1
        WHERE event_id = 1
        RETURNING rev
    )
    INSERT INTO ledger (event_id, rev, kind, booking_id, user_id, seats, at, txid)
    SELECT 1, rev, 'RESERVED', 0, 'late', 1, now(), '3'
    FROM counted
"""


@pytest.fixture
def rankings(pool: Pool) -> Rankings:
    """Returns rankings over several nodes."""
    return DistributedRankings(pool, roll_up_chunk=5)


@dataclass
class Interrupted:
    """Rankings during which something happens after the nodes were read."""

    meanwhile: Callable[[], Awaitable[object]]
    statement: bytes = DistributedRankings.TOP_USERS

    def of(self, pool: Pool) -> Rankings:
        """Returns the rankings."""
        meanwhile = self.meanwhile

        class Ranking(DistributedRankings):
            TOP_USERS = self.statement

            async def _untallied(self, connection: Connection) -> dict[str, object]:
                untallied = await super()._untallied(connection)
                await meanwhile()
                return untallied

        return Ranking(pool)


@pytest.mark.parametrize("kind", RANKINGS)
async def test_a_row_that_appears_after_its_transaction_has_ended_is_counted(
    pool: Pool,
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    kind: type[Rankings],
) -> None:
    """Its commit reached the node late. Negative control: rankings that go by transactions."""
    rankings = kind(pool)
    await book(inventory, reservations, {"ada": 1})
    await rankings.roll_up()
    await rankings.roll_up()
    async with pool.connection() as connection:
        await connection.execute(LATE)
    expected = {"ada": 1, "late": 1} if kind is DistributedRankings else {"ada": 1}
    assert {user: count for _, user, count in await top(rankings)} == expected
    await rankings.roll_up()
    assert tallies(database) == Counter(expected)


async def test_a_replica_that_dies_before_it_notes_how_far_it_is_counts_nothing_twice(
    pool: Pool, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """The next one would find events behind that are not, and count their bookings again."""
    await book(inventory, reservations, {"ada": 2, "bob": 1})
    await roll_up(rankings)
    async with pool.connection() as connection:
        await connection.execute("UPDATE progress SET tallied_rev = 0")
    for _ in range(2):
        assert await top(rankings) == [(1, "ada", 2), (2, "bob", 1)]
        await roll_up(rankings)


@pytest.mark.parametrize("is_careful", [True, False])
async def test_a_roll_up_while_a_ranking_is_read_changes_nothing(
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    rankings: Rankings,
    is_careful: bool,
) -> None:
    """Bookings would count twice: by the ledger that was read before, and by the tallies."""
    await book(inventory, reservations, {"ada": 2, "bob": 1})
    careless = SQL["untallied"].replace(b"coalesce(tallied.rev, 0)", b"0")
    statement = load(SQL["untallied"] if is_careful else careless)["list_top_users"]
    listed = await top(Interrupted(rankings.roll_up, statement).of(pool))
    twice = 1 if is_careful else 2
    assert listed == [(1, "ada", 2 * twice), (2, "bob", twice)]


@pytest.mark.parametrize("is_careful", [True, False])
async def test_a_chunk_that_is_closed_while_a_ranking_is_read_changes_nothing(
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    rankings: Rankings,
    is_careful: bool,
) -> None:
    """Bookings of the closed event would be taken off twice."""
    await book(inventory, reservations, {"ada": 2, "bob": 2})
    await roll_up(rankings)
    await inventory.apply(concert(1, rev=2, deleted=True))
    closing = Closing(pool, chunk=1, distributed=is_careful)
    assert await top(Interrupted(closing.close_chunk).of(pool)) == (
        [(1, "ada", 1), (1, "bob", 1)] if is_careful else [(1, "bob", 1)]
    )
    assert await top(rankings) == [(1, "ada", 1), (1, "bob", 1)]


@pytest.mark.parametrize("is_careful", [True, False])
async def test_two_replicas_that_read_the_same_entries_count_them_once(
    pool: Pool,
    database: Database,
    inventory: Inventory,
    reservations: Reservations,
    rankings: Rankings,
    monkeypatch: pytest.MonkeyPatch,
    is_careful: bool,
) -> None:
    """Both read the ledger before one of them has the lock of the tallies."""
    await book(inventory, reservations, {"ada": 2, "bob": 1})
    read = distributed._list_entries

    async def read_early(*values: Any) -> Any:
        entries = await read(*values)
        monkeypatch.setattr(distributed, "_list_entries", read)
        await roll_up(DistributedRankings(pool))
        return entries

    monkeypatch.setattr(distributed, "_list_entries", read_early)
    if not is_careful:
        careless = SQL["roll_up"].replace(b"coalesce(tallied.rev, 0)", b"0")
        monkeypatch.setattr(distributed, "SQL", {**SQL, "roll_up": careless})
    await roll_up(rankings)
    assert (tallies(database) == Counter({"ada": 2, "bob": 1})) is is_careful
