import asyncio
from dataclasses import replace

import psycopg
import pytest
from prometheus_client import REGISTRY

from services.bookings.catalogue import following
from services.bookings.catalogue.following import Follower, Listing
from services.bookings.inventory import FeedPosition, Inventory
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Unavailable
from tests.conftest import Database
from tests.services.bookings.asking import booked, seat
from tests.services.bookings.conftest import concert, drift
from tests.services.bookings.scripted_feed import ScriptedFeed


@pytest.fixture
def feed() -> ScriptedFeed:
    """Returns a catalogue without events."""
    return ScriptedFeed()


@pytest.fixture
def follower(pool: Pool, feed: ScriptedFeed, inventory: Inventory) -> Follower:
    """Returns the follower of the scripted feed."""
    return Follower(pool, feed, inventory)


async def catch_up(follower: Follower) -> None:
    """Follows until the feed has no more changes."""
    while await follower.follow():
        pass


def lag() -> float:
    """Reads the metric of the follower's delay."""
    return REGISTRY.get_sample_value("boxoffice_catalogue_lag_seconds") or 0.0


def in_force(database: Database) -> dict[int, tuple[int, int, bool]]:
    """Reads revision, capacity and closing of all events."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        found = connection.execute(
            "SELECT event_id, catalogue_rev, capacity, closed_at IS NOT NULL FROM inventory"
        ).fetchall()
    return {event_id: (rev, capacity, closed) for event_id, rev, capacity, closed in found}


async def test_lost_pushes_are_made_up_for(
    follower: Follower, feed: ScriptedFeed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change whose push was lost would never be applied, or be applied out of order."""
    monkeypatch.setattr(following, "CHANGES_PAGE_SIZE", 2)
    for number in (1, 2, 3):
        feed.publish(concert(number))
    feed.publish(concert(2, capacity=60, rev=2))
    feed.publish(concert(1, rev=2, deleted=True))
    assert await follower.follow()
    assert in_force(database).keys() == {1, 2}
    await catch_up(follower)
    assert in_force(database) == {1: (2, 50, True), 2: (2, 60, False), 3: (1, 50, False)}
    assert await follower.position() == FeedPosition("first", 5)
    assert not await follower.follow()
    assert feed.listed == 0


async def test_the_place_stays_until_all_it_stands_for_is_applied(
    follower: Follower, feed: ScriptedFeed, database: Database
) -> None:
    """A change that fails once would be skipped for good, or hold up the others."""
    feed.publish(concert(1))
    impossible = feed.publish(concert(2, capacity=-1))
    assert not await follower.follow()
    assert in_force(database).keys() == {1}
    assert await follower.position() == FeedPosition("", 0)
    feed.changes[1] = replace(impossible, capacity=1)
    await catch_up(follower)
    assert in_force(database).keys() == {1, 2}
    assert await follower.position() == FeedPosition("first", 2)


async def test_replicas_follow_side_by_side(
    pool: Pool,
    inventory: Inventory,
    feed: ScriptedFeed,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The slower of two replicas would move the position back, or stop."""
    monkeypatch.setattr(following, "CHANGES_PAGE_SIZE", 3)
    for rev in range(1, 31):
        feed.publish(concert(rev % 4 + 1, capacity=rev, rev=rev))
    await asyncio.gather(*(catch_up(Follower(pool, feed, inventory)) for _ in range(3)))
    assert await Follower(pool, feed, inventory).position() == FeedPosition("first", 30)
    assert {rev for rev, _, _ in in_force(database).values()} == {27, 28, 29, 30}
    assert drift(database) == []


async def test_a_gap_is_filled_by_the_listing(
    follower: Follower, feed: ScriptedFeed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that was down longer than the feed is kept would miss changes for good."""
    monkeypatch.setattr(following, "STATES_PAGE_SIZE", 2)
    feed.publish(concert(1))
    await catch_up(follower)
    for number in (2, 3, 4):
        feed.publish(concert(number))
    feed.publish(concert(1, capacity=60, rev=2))
    feed.oldest = 5
    await catch_up(follower)
    assert feed.listed == 3
    assert await follower.position() == FeedPosition("first", 5)
    assert in_force(database) == {1: (2, 60, False)} | dict.fromkeys((2, 3, 4), (1, 50, False))


async def test_another_epoch_is_listed(
    follower: Follower, feed: ScriptedFeed, database: Database, reservations: Reservations
) -> None:
    """After a restore lower revisions would be ignored, and lost events stay on sale."""
    feed.publish(concert(1, capacity=70, rev=5))
    feed.publish(concert(2))
    await catch_up(follower)
    await booked(reservations, [seat(2, "ada")])
    feed.restore("second", concert(1, capacity=60, rev=3))
    await catch_up(follower)
    assert in_force(database) == {1: (3, 60, False), 2: (0, 50, True)}
    assert await follower.position() == FeedPosition("second", 1)
    assert drift(database) == []


async def test_nothing_is_decided_in_an_epoch_that_is_not_followed(
    follower: Follower, feed: ScriptedFeed
) -> None:
    """Pushed states of a new epoch would be applied while lost events are still on sale."""
    await follower.expect("any")
    feed.publish(concert(1))
    await catch_up(follower)
    await follower.expect("first")
    with pytest.raises(Unavailable):
        await follower.expect("second")
    feed.restore("second", concert(1))
    await catch_up(follower)
    await follower.expect("second")


async def test_a_listing_that_breaks_off_is_begun_again(
    follower: Follower, feed: ScriptedFeed, database: Database
) -> None:
    """A failed listing would count as complete, or be retried without a pause."""
    feed.publish(concert(1))
    await catch_up(follower)
    feed.restore("second", concert(1, rev=9))
    feed.trouble_with_states = Unavailable()
    assert not await follower.follow()
    assert await follower.position() == FeedPosition("first", 1)
    feed.trouble_with_states = None
    await catch_up(follower)
    assert in_force(database) == {1: (9, 50, False)}


async def test_a_late_replica_undoes_nothing(
    pool: Pool, inventory: Inventory, feed: ScriptedFeed, database: Database
) -> None:
    """A replica that still lists the former epoch would undo the listing of the next one."""

    class Slow(ScriptedFeed):
        async def list_states(self, after_event_id: int, limit: int) -> Listing:
            listing = await super().list_states(after_event_id, limit)
            feed.restore("third", concert(1, rev=1), concert(2, rev=1))
            await catch_up(Follower(pool, feed, inventory))
            return listing

    feed.publish(concert(1, rev=4))
    await catch_up(Follower(pool, feed, inventory))
    slow = Slow(epoch="second", changes=[replace(concert(1, rev=2), epoch="second")])
    await Follower(pool, slow, inventory).follow()
    assert in_force(database) == {1: (1, 50, False), 2: (1, 50, False)}
    assert await Follower(pool, feed, inventory).position() == FeedPosition("third", 2)


async def test_an_epoch_that_begins_within_a_listing_begins_the_listing_anew(
    pool: Pool, inventory: Inventory, database: Database
) -> None:
    """States of two epochs would be applied as one catalogue."""

    class Turning(ScriptedFeed):
        async def list_states(self, after_event_id: int, limit: int) -> Listing:
            listing = await super().list_states(after_event_id, limit)
            if self.epoch == "third":
                return listing
            self.restore("third", concert(1), concert(2))
            return Listing([*listing.states, self.changes[1]], listing.position)

    feed = Turning(epoch="first", changes=[replace(concert(1), epoch="first")])
    follower = Follower(pool, feed, inventory)
    await catch_up(follower)
    feed.restore("second", concert(1, rev=7))
    await catch_up(follower)
    assert await follower.position() == FeedPosition("third", 2)
    assert in_force(database) == {1: (1, 50, False), 2: (1, 50, False)}


async def test_a_catalogue_out_of_reach_changes_nothing(
    follower: Follower, feed: ScriptedFeed, inventory: Inventory
) -> None:
    """An outage of events would lose the position, or block states that are pushed."""
    feed.trouble = Unavailable()
    assert not await follower.follow()
    assert lag() > 0
    feed.trouble = None
    await inventory.apply(feed.publish(concert(1)))
    feed.publish(concert(1, rev=2))
    await catch_up(follower)
    assert await follower.position() == FeedPosition("first", 2)
    await follower.follow()
    assert lag() == 0
