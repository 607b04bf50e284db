from datetime import UTC, date, datetime

import psycopg
import pytest

from services.bookings.inventory import Inventory
from services.bookings.inventory.commands import Apply
from services.bookings.inventory.seat_commands import IssueTicket, Release, Seated
from services.bookings.rankings.rankings import Rankings, TopUser, first_day
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import ValidationFailed
from tests.conftest import Database
from tests.services.bookings.asking import party
from tests.services.bookings.conftest import clock_forward, concert
from tests.services.bookings.inventory.payments import PRICE, declined, paid, start
from tests.services.bookings.inventory.screening import ask, hold, plans_of, room, screening
from tests.services.bookings.rankings.conftest import PERIODS, book, book_in, roll_up, top

MOMENTS = [
    ("2024-02-29T23:59:59.999999Z", "day", "2024-02-29", True),
    ("2024-03-01T00:00:00Z", "day", "2024-02-29", False),
    ("2024-02-29T23:59:59.999999Z", "month", "2024-02-01", True),
    ("2024-03-01T00:00:00Z", "month", "2024-02-29", False),
    ("2024-03-01T00:30:00+01:00", "month", "2024-02-10", True),
    ("2025-01-05T23:59:59.999999Z", "week", "2024-12-30", True),
    ("2025-01-06T00:00:00Z", "week", "2025-01-05", False),
    ("2024-12-30T00:00:00Z", "week", "2025-01-05", True),
    ("2024-12-29T23:59:59Z", "week", "2025-01-05", False),
    ("1999-01-01T00:00:00Z", "", "", True),
]
"""Times of bookings, periods, days in them, and whether the booking counts there."""


@pytest.mark.parametrize(
    ("period", "day", "first"),
    [
        ("day", "2024-02-29", date(2024, 2, 29)),
        ("week", "2024-12-30", date(2024, 12, 30)),
        ("week", "2025-01-05", date(2024, 12, 30)),
        ("week", "2025-01-06", date(2025, 1, 6)),
        ("week", "0001-01-01", date(1, 1, 1)),
        ("month", "2024-02-29", date(2024, 2, 1)),
        ("month", "9999-12-31", date(9999, 12, 1)),
        ("", "2024-02-29", date(1, 1, 1)),
    ],
)
def test_a_period_is_named_by_its_first_day(period: str, day: str, first: date) -> None:
    """Bookings near midnight, a week's turn or a year's turn would count in a wrong period."""
    assert first_day(period, day) == first


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("day", ["2023-02-29", "2024-13-01", "0000-01-01", "2024-00-10"])
def test_a_day_that_does_not_exist_is_refused(period: str, day: str) -> None:
    """A date such as 30 February, which fits the contract's pattern, would fail as INTERNAL."""
    with pytest.raises(ValidationFailed) as refusal:
        first_day(period, day)
    assert [violation.path for violation in refusal.value.violations] == ["date"]


async def test_a_booking_counts_in_its_period_of_utc(
    database: Database, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """A booking at the edge of a period would count in the next one, or only until the roll-up."""
    users = {f"user-{number}": moment for number, (moment, *_) in enumerate(MOMENTS)}
    await book(inventory, reservations, dict.fromkeys(users, 1))
    with psycopg.connect(database.owner_dsn) as connection:
        for user, moment in users.items():
            values = (datetime.fromisoformat(moment), user)
            connection.execute("UPDATE bookings.ledger SET at = %s WHERE user_id = %s", values)
            connection.execute(
                "UPDATE bookings.bookings SET created_at = %s WHERE user_id = %s", values
            )
    for _ in ("live", "rolled up"):
        for user, (moment, period, day, counts) in zip(users, MOMENTS, strict=True):
            listed = {ranked for _, ranked, _ in await top(rankings, period, day)}
            assert (user in listed) is counts, (moment, period, day)
        await roll_up(rankings)


async def test_equals_share_a_place_and_ten_are_named(
    inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """Equal users would have different ranks, or the user after two firsts the second."""
    counts = {"ada": 3, "bob": 3, "cy": 2} | {f"user-{number}": 1 for number in range(10)}
    await book(inventory, reservations, counts)
    expected = [(1, "ada", 3), (1, "bob", 3), (3, "cy", 2)]
    expected += [(4, f"user-{number}", 1) for number in range(7)]
    assert await top(rankings) == expected
    await roll_up(rankings)
    assert await top(rankings) == expected


async def test_a_cancelled_booking_counts_no_more(
    pool: Pool, inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """A cancelled booking would still count in its period, depending on the roll-up."""
    await book(inventory, reservations, {"ada": 2})
    [made] = await book_in(reservations, inventory, event_id=3, users=["ada"])
    await Cancellations(pool, inventory).cancel(made.id)
    assert await top(rankings, "day") == [(1, "ada", 2)]
    await roll_up(rankings)
    assert await top(rankings, "day") == [(1, "ada", 2)]


@pytest.mark.parametrize("rolled_up_first", [False, True])
async def test_bookings_of_a_closed_event_count_at_no_moment(
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    rankings: Rankings,
    rolled_up_first: bool,
) -> None:
    """Bookings of a closed event would count until they are written as CANCELLED."""
    await book_in(reservations, inventory, event_id=1, users=["ada", "bob", "cy", "dé"])
    await book_in(reservations, inventory, event_id=2, users=["bob"])
    if rolled_up_first:
        await roll_up(rankings)
    await inventory.apply(concert(1, rev=2, deleted=True))
    expected = [(1, "bob", 1)]
    closing = Inventory(pool, closing_chunk=2)
    seen = [await top(rankings)]
    while await closing.close_chunk():
        seen.append(await top(rankings))
    await roll_up(rankings)
    seen.append(await top(rankings))
    assert all(ranking == expected for ranking in seen)


async def test_today_is_meant_when_no_day_is_named(
    inventory: Inventory, reservations: Reservations, rankings: Rankings
) -> None:
    """The default day would follow another time zone than UTC."""
    await book(inventory, reservations, {"ada": 1})
    today = datetime.now(UTC).date().isoformat()
    for period in PERIODS:
        listed = await rankings.list_top_users(period, "")
        assert listed == [TopUser(1, "ada", 1)] or datetime.now(UTC).date().isoformat() != today


async def test_accounts_are_hidden_from_who_has_none(
    rankings: Rankings, inventory: Inventory, reservations: Reservations
) -> None:
    """Guests would see accounts, or gaps where accounts are."""
    await book(inventory, reservations, {"acct_ada": 3, "bob": 2, "acct_cy": 2, "eve": 1})
    for _ in range(2):
        shown = await rankings.list_top_users("", "", with_accounts=False)
        assert [(user.place, user.user_id) for user in shown] == [(1, "bob"), (2, "eve")]
        assert len(await top(rankings)) == 4
        await roll_up(rankings)


async def test_a_booking_of_several_seats_counts_once(
    rankings: Rankings, inventory: Inventory, reservations: Reservations
) -> None:
    """A party would rank above users with more bookings."""
    await inventory.apply(concert())
    await reservations.decide([party(1, "acct_ada", 5)])
    await reservations.decide([party(1, "acct_bob")] * 2)
    for _ in range(2):
        assert await top(rankings) == [(1, "acct_bob", 2), (2, "acct_ada", 1)]
        await roll_up(rankings)


async def test_seats_that_are_held_count_until_the_hold_is_released(
    pool: Pool, rankings: Rankings
) -> None:
    """A hold that ends would take away from its user what was never counted."""
    hall = room()
    holding = Inventory(pool, plans=plans_of(hall))
    _, held, other = await ask(holding, Apply(screening(hall)), hold("ada", 1, 2), hold("bob", 3))
    assert isinstance(held, Seated)
    assert isinstance(other, Seated)
    assert await top(rankings) == [(1, "ada", 1), (1, "bob", 1)]
    await roll_up(rankings)
    await ask(holding, IssueTicket(1, other.booking.id), Release(1, held.booking.id))
    for _ in range(2):
        assert await top(rankings) == [(1, "bob", 1)]
        await roll_up(rankings)


async def test_a_booking_that_is_paid_late_counts_again(
    pool: Pool, rankings: Rankings, database: Database
) -> None:
    """A user whose seats were regained would not be counted, or be counted twice."""
    hall = room()
    cinema = Inventory(pool, plans=plans_of(hall))
    _, held = await ask(cinema, Apply(screening(hall, **PRICE)), hold("ada", 1))
    assert isinstance(held, Seated)
    booking = held.booking.id
    await ask(cinema, start(booking), declined(booking))
    clock_forward(database, seconds=2_000)
    await cinema.sweep()
    assert await top(rankings) == []
    await roll_up(rankings)
    await ask(cinema, paid(booking))
    for _ in range(2):
        assert await top(rankings) == [(1, "ada", 1)]
        await roll_up(rankings)
