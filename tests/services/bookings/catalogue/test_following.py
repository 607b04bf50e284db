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
    """Gives a catalogue without any event."""
    return ScriptedFeed()


@pytest.fixture
def follower(pool: Pool, feed: ScriptedFeed, inventory: Inventory) -> Follower:
    """Gives who follows it."""
    return Follower(pool, feed, inventory)


async def catch_up(follower: Follower) -> None:
    """Follows until there is no more."""
    while await follower.follow():
        pass


def lag() -> float:
    """Reads the metric."""
    return REGISTRY.get_sample_value("boxoffice_catalogue_lag_seconds") or 0.0


def in_force(database: Database) -> dict[int, tuple[int, int, bool]]:
    """Reads revision, capacity and whether it is closed of all events."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        found = connection.execute(
            "SELECT event_id, catalogue_rev, capacity, closed_at IS NOT NULL FROM inventory"
        ).fetchall()
    return {event_id: (rev, capacity, closed) for event_id, rev, capacity, closed in found}


async def test_lost_pushes_are_made_up_for(
    follower: Follower, feed: ScriptedFeed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Page by page, in order, and nothing twice."""
    monkeypatch.setattr(following, "CHANGES_AT_ONCE", 2)
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
    """If a change fails, the others are applied, and all of them are tried again."""
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
    """Who comes second leaves what the first has done, and goes on from there."""
    monkeypatch.setattr(following, "CHANGES_AT_ONCE", 3)
    for rev in range(1, 31):
        feed.publish(concert(rev % 4 + 1, capacity=rev, rev=rev))
    await asyncio.gather(*(catch_up(Follower(pool, feed, inventory)) for _ in range(3)))
    assert await Follower(pool, feed, inventory).position() == FeedPosition("first", 30)
    assert {rev for rev, _, _ in in_force(database).values()} == {27, 28, 29, 30}
    assert drift(database) == []


async def test_a_gap_is_filled_by_the_listing(
    follower: Follower, feed: ScriptedFeed, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was away longer than changes are kept applies all there is, and follows on."""
    monkeypatch.setattr(following, "STATES_AT_ONCE", 2)
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
    """Earlier revisions come into force over later ones of the epoch before; the rest is closed."""
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
    """Until all of it is listed."""
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
    """The position stays where it was, and who follows waits before the next attempt."""
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
    """It has read an epoch that is over: another replica lists the next one before it is done."""

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
    """States of two epochs are never taken for one catalogue."""

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
    """It is asked again later; what is pushed meanwhile is applied."""
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
