"""What can only happen where events lie on several nodes, played on one PostgreSQL."""

from collections.abc import Sequence

import pytest

from services.bookings.feed import distributed_tail
from services.bookings.feed.changes import Changes
from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.feed.tail import Tail
from services.bookings.inventory import Inventory
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Connection, Pool
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert
from tests.services.bookings.feed.door import Door
from tests.services.bookings.feed.reader import Reader
from tests.services.bookings.feed.test_tail import resize, session
from tests.services.bookings.tails import FEED_TAILS


@pytest.fixture
def kind() -> type[Tail]:
    """Returns the kind of tail for several nodes."""
    return DistributedTail


@pytest.mark.parametrize("kind", FEED_TAILS)
async def test_a_row_that_appears_after_its_transaction_has_ended_is_read(
    database: Database, inventory: Inventory, tail: Tail, changes: Changes
) -> None:
    """Its commit reached the node late. Negative control: a tail that goes by transactions."""
    await inventory.apply(concert(1))
    await tail.advance()
    async with session(database) as late:
        await resize(late, 1, txid="3")
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    assert reader.revs == {1: [1, 2] if isinstance(tail, DistributedTail) else [1]}


async def test_a_replica_that_dies_before_it_notes_how_far_it_is_adds_nothing_twice(
    pool: Pool, inventory: Inventory, reservations: Reservations, tail: Tail, changes: Changes
) -> None:
    """The next one would find events behind that are not, and list their changes again."""
    await inventory.apply(concert(1))
    await tail.advance()
    async with pool.connection() as connection:
        await connection.execute("UPDATE progress SET fed_rev = 0")
    await tail.advance()
    await booked(reservations, [seat(1, "ada")])
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    assert reader.revs == {1: [1, 2]}


@pytest.fixture
async def door(pool: Pool, inventory: Inventory, reservations: Reservations) -> Door:
    """Opens the door of an event."""
    opened = Door(pool, inventory, reservations)
    await opened.open(capacity=200)
    return opened


async def test_a_page_ends_before_a_scan_that_its_node_does_not_show_yet(
    pool: Pool, door: Door, tail: Tail, changes: Changes
) -> None:
    """The position is committed in two phases: a cursor would pass over the admission."""
    first, second = await door.sell("ada"), await door.sell("bob")
    await door.scan(first)
    await door.cancel(second)
    await tail.advance()
    reader = Reader()
    async with pool.connection() as connection:
        taken = await connection.execute("UPDATE ticket_scans SET position = -position")
        assert taken.rowcount == 1
        await reader.read(changes)
        assert "CHECKED_IN" not in reader.kinds
        await connection.execute("UPDATE ticket_scans SET position = -position")
    await reader.read(changes)
    assert reader.kinds[-2:] == ["CHECKED_IN", "CANCELLED"]
    assert reader.revs == {1: list(range(1, len(reader.revs[1]) + 1))}


async def test_a_scan_that_another_replica_has_placed_is_not_placed_again(
    pool: Pool,
    door: Door,
    tail: Tail,
    changes: Changes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A replica may read a scan before the commit of the former one reaches the node."""
    await door.scan(await door.sell("ada"))
    read = distributed_tail._list_scans

    async def read_early(connection: Connection) -> Sequence[distributed_tail._Scan]:
        scans = await read(connection)
        monkeypatch.setattr(distributed_tail, "_list_scans", read)
        await DistributedTail(pool).advance()
        return scans

    monkeypatch.setattr(distributed_tail, "_list_scans", read_early)
    await tail.advance()
    await tail.advance()
    reader = Reader()
    await reader.read(changes)
    assert reader.kinds.count("CHECKED_IN") == 1
    assert "DOUBLE_ADMISSION" not in reader.kinds
