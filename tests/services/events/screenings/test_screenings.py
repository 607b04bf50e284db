from datetime import UTC, datetime, timedelta

import pytest

from tests.conftest import Database
from tests.services.events.cinema import EVENING, LATE, MINUTES, Cinema, add_cinema
from tests.services.events.client import CANCELLED, DRAFT, Client, change_rows, refused, rows
from tests.services.events.conftest import Serve
from tests.services.events.screenings import programme
from tests.services.events.scripted import ScriptedBookings, crash

HOUR = timedelta(hours=1)


@pytest.fixture
def cinema(database: Database) -> Cinema:
    """Returns a movie, and a theater of Berlin with two rooms."""
    return add_cinema(database)


async def test_a_screening_is_an_event(client: Client, cinema: Cinema) -> None:
    """Two resources could tell different things of one and the same evening."""
    made = await programme.create(client, cinema, price={"amount_minor": 900, "currency": "EUR"})
    assert (made.theater_id, made.total_seats) == (cinema.theater_id, 100)
    assert made.ends_at.ToDatetime(UTC) == EVENING + timedelta(minutes=MINUTES + 15)
    event = await client.get(made.id)
    assert (event.name, event.movie_id, event.plan_id) == ("Storm", cinema.movie_id, made.plan_id)
    renamed = await client.update(made.id, name="Storm, with a talk")
    found = await programme.get(client, made.id)
    assert (found.version, found.available_seats) == (renamed.version, 100)
    await programme.update(client, made.id, price=None)
    assert not (await client.get(made.id)).HasField("price")


async def test_an_event_without_a_movie_is_no_screening(client: Client, cinema: Cinema) -> None:
    """A concert would be shown, changed and deleted as a movie."""
    concert = await client.create(room_id=cinema.large, starts_at=EVENING, ends_at=LATE)
    for attempt in (
        programme.get(client, concert.id),
        programme.update(client, concert.id, orphan_rule=True),
        programme.delete(client, concert.id),
    ):
        with refused("SCREENING_NOT_FOUND"):
            await attempt
    assert await programme.ids(client) == []


async def test_a_field_that_a_screening_lacks_is_named_as_its_own(
    client: Client, cinema: Cinema
) -> None:
    """A client would be told of an `event` that it never sent."""
    with refused("VALIDATION_ERROR") as refusal:
        await programme.create(client, cinema, ends_at=EVENING - HOUR)
    assert refusal.paths == ["screening.ends_at"]
    made = await programme.create(client, cinema)
    for fields in ({"room_id": None}, {"starts_at": None}, {"movie_id": 99}):
        with refused("VALIDATION_ERROR") as refusal:
            await programme.update(client, made.id, **fields)
        assert refusal.paths == [f"screening.{name}" for name in fields]
    with refused("MOVIE_NOT_FOUND"):
        await programme.create(client, cinema, movie_id=99)
    with refused("ROOM_NOT_FOUND"):
        await programme.create(client, cinema, room_id=99)


async def test_a_deleted_movie_is_not_shown_again(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """The programme would show what the cinema does not have any more; the past stays."""
    made = await programme.create(client, cinema)
    change_rows(database, "UPDATE movies SET deleted_at = now()")
    with refused("MOVIE_NOT_FOUND"):
        await programme.create(client, cinema, starts_at=LATE)
    shorter = await programme.update(client, made.id, ends_at=LATE - HOUR)
    reset = await programme.update(client, made.id, ends_at=None)
    assert reset.screening.ends_at == made.ends_at != shorter.screening.ends_at


async def test_a_repeated_request_gets_the_response_of_a_screening(
    client: Client, cinema: Cinema
) -> None:
    """The response to an event would be replayed, which has other fields."""
    made = [await programme.create(client, cinema, request_id="key-1") for _ in range(2)]
    assert made[0] == made[1]
    moved = [
        await programme.update(client, made[0].id, starts_at=LATE, request_id="key-2")
        for _ in range(2)
    ]
    assert moved[0].screening == moved[1].screening
    assert [response.replayed for response in moved] == [False, True]
    gone = [await programme.delete(client, made[0].id, request_id="key-3") for _ in range(2)]
    assert gone[0].deleted_screening == gone[1].deleted_screening


async def test_a_change_that_a_crash_interrupted_gets_the_response_of_a_screening(
    client: Client, cinema: Cinema, bookings: ScriptedBookings
) -> None:
    """Who finishes the change of another process must know what its client is told."""
    made = await programme.create(client, cinema)
    bookings.trouble = crash
    with refused("OUTCOME_UNKNOWN"):
        await programme.update(client, made.id, room_id=cinema.small, request_id="key-1")
    bookings.trouble = None
    finished = await programme.update(client, made.id, room_id=cinema.small, request_id="key-1")
    assert (finished.screening.room_id, finished.screening.total_seats) == (cinema.small, 40)


async def test_a_cancelled_screening_frees_its_room(client: Client, cinema: Cinema) -> None:
    """The room would stay dark for an evening that nobody will see."""
    made = await programme.create(client, cinema)
    with refused("ROOM_OCCUPIED"):
        await programme.create(client, cinema, starts_at=EVENING + HOUR)
    await programme.update(client, made.id, status=CANCELLED)
    await programme.create(client, cinema, starts_at=EVENING + HOUR)


async def test_without_a_date_the_list_has_what_is_not_over(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """People could book what is over, or miss the second half of what is on."""
    over = await programme.create(client, cinema)
    running = await programme.create(client, cinema, room_id=cinema.small)
    later = await programme.create(client, cinema, starts_at=LATE)
    change_rows(
        database,
        f"UPDATE events SET starts_at = now() - interval '2 hours',"
        f" ends_at = now() + CASE id WHEN {over.id} THEN -1 ELSE 1 END * interval '1 minute'"
        f" WHERE id IN ({over.id}, {running.id})",
    )
    assert await programme.ids(client) == [running.id, later.id]


async def test_a_list_can_be_narrowed(client: Client, cinema: Cinema, database: Database) -> None:
    """A visitor would look through the programme of all theaters."""
    other = add_cinema(database)
    here = await programme.create(client, cinema)
    small = await programme.create(client, cinema, room_id=cinema.small)
    there = await programme.create(client, other)
    assert await programme.ids(client) == [here.id, small.id, there.id]
    assert await programme.ids(client, theater_id=cinema.theater_id) == [here.id, small.id]
    assert await programme.ids(client, room_id=cinema.small) == [small.id]
    assert await programme.ids(client, movie_id=other.movie_id) == [there.id]
    assert await programme.ids(client, movie_id=other.movie_id, room_id=cinema.small) == []


@pytest.mark.parametrize(
    ("time_zone", "day", "first", "last"),
    [
        ("Europe/Berlin", "2030-03-31", "2030-03-30T23:00Z", "2030-03-31T21:59Z"),
        ("Europe/Berlin", "2030-10-27", "2030-10-26T22:00Z", "2030-10-27T22:59Z"),
        ("Asia/Tokyo", "2030-05-02", "2030-05-01T15:00Z", "2030-05-02T14:59Z"),
        ("EET", "2030-07-01", "2030-06-30T21:00Z", "2030-07-01T20:59Z"),
    ],
)
async def test_a_date_is_a_day_of_the_theater(
    client: Client, database: Database, time_zone: str, day: str, first: str, last: str
) -> None:
    """A late show would be listed on the next day, or on none: days have 23, 24 or 25 hours."""
    cinema = add_cinema(database, time_zone)
    begins, ends = datetime.fromisoformat(first), datetime.fromisoformat(last)
    times = [begins - timedelta(minutes=1), begins, ends, ends + timedelta(minutes=1)]
    made = [
        await programme.create(
            client,
            cinema,
            room_id=(cinema.large, cinema.small)[number % 2],
            starts_at=starts_at,
            ends_at=starts_at + HOUR,
        )
        for number, starts_at in enumerate(times)
    ]
    assert await programme.ids(client, date=day) == [made[1].id, made[2].id]


async def test_a_day_that_was_left_out_has_no_screenings(
    client: Client, database: Database
) -> None:
    """Samoa went from the 29th to the 31st of December 2011."""
    cinema = add_cinema(database, "Pacific/Apia")
    last = datetime(2011, 12, 30, 9, 59, tzinfo=UTC)
    before = await programme.create(client, cinema, starts_at=last, ends_at=last + HOUR)
    after = await programme.create(
        client, cinema, room_id=cinema.small, starts_at=last + timedelta(minutes=1)
    )
    found = [await programme.ids(client, date=f"2011-12-{day}") for day in (29, 30, 31)]
    assert found == [[before.id], [], [after.id]]


async def test_each_theater_has_its_own_day(client: Client, database: Database) -> None:
    """A show in Tokyo would be listed on the day that Berlin has."""
    berlin, tokyo = add_cinema(database), add_cinema(database, "Asia/Tokyo")
    midnight = datetime(2030, 5, 1, 22, tzinfo=UTC)
    early = await programme.create(client, tokyo, starts_at=midnight)
    late = await programme.create(client, berlin, starts_at=midnight - HOUR)
    assert await programme.ids(client, date="2030-05-01") == [late.id]
    assert await programme.ids(client, date="2030-05-02") == [early.id]


@pytest.mark.parametrize("day", ["2030-02-30", "0001-01-01", "9999-12-31", "0000-01-01"])
async def test_a_date_that_is_no_day_is_refused(client: Client, cinema: Cinema, day: str) -> None:
    """The calendar's limits would be a defect of ours."""
    with refused("VALIDATION_ERROR") as refusal:
        await programme.ids(client, date=day)
    assert refusal.paths == ["date"]


async def test_pages_follow_the_time_of_the_screenings(client: Client, cinema: Cinema) -> None:
    """A screening would be shown twice, or never; two may start at once."""
    starts = [EVENING, EVENING, EVENING + 3 * HOUR, EVENING + 3 * HOUR, EVENING - 3 * HOUR]
    made = [
        await programme.create(
            client, cinema, room_id=(cinema.large, cinema.small)[n % 2], starts_at=starts_at
        )
        for n, starts_at in enumerate(starts)
    ]
    in_order = [made[number].id for number in (4, 0, 1, 2, 3)]
    shown, token = [], ""
    for _ in range(3):
        page = await programme.listed(client, page_size=2, page_token=token)
        shown += [screening.id for screening in page.screenings]
        token = page.next_page_token
    assert (shown, token) == (in_order, "")
    numbered = await programme.listed(client, page_size=2, page=2)
    assert [screening.id for screening in numbered.screenings] == in_order[2:4]
    assert numbered.total == 5
    with refused("INVALID_PAGE_TOKEN"):
        await programme.listed(client, page_token="x")


async def test_a_draft_is_shown_to_admins_alone(serve: Serve, cinema: Cinema) -> None:
    """The programme would be known before it is decided."""
    async with serve(open_access=False) as client:
        made = await programme.create(client, cinema, status=DRAFT)
        assert await programme.ids(client) == []
        with refused("SCREENING_NOT_FOUND"):
            await programme.get(client, made.id)
        client.be_service()
        assert await programme.ids(client) == [made.id]


async def test_bookings_is_told_what_a_seat_costs(client: Client, cinema: Cinema) -> None:
    """Seats would be sold at the price of another type, or choices be judged by another rule."""
    vip = {"VIP": {"amount_minor": 1_500, "currency": "EUR"}}
    made = await programme.create(client, cinema, seat_type_prices=vip, orphan_rule=True)
    state = await client.state(made.id)
    assert state.seat_type_prices["VIP"].amount_minor == 1_500
    assert (state.plan_id, state.orphan_rule) == (made.plan_id, True)
    await programme.update(client, made.id, seat_type_prices=None, orphan_rule=False)
    state = await client.state(made.id)
    assert not state.seat_type_prices
    assert not state.orphan_rule


async def test_every_screening_has_its_slot(
    client: Client, cinema: Cinema, database: Database
) -> None:
    """A room would be taken by an event that is not in it, or by none although one is."""
    made = await programme.create(client, cinema)
    await programme.update(client, made.id, starts_at=LATE)
    await programme.update(client, made.id, room_id=cinema.small)
    await programme.delete(client, (await programme.create(client, cinema)).id)
    unequal = """
        SELECT event_id FROM room_slots
        FULL JOIN events ON (id, events.room_id, events.starts_at, events.ends_at)
            = (event_id, room_slots.room_id, room_slots.starts_at, room_slots.ends_at)
        WHERE event_id IS NULL AND deleted_at IS NULL OR id IS NULL
    """
    assert rows(database, unequal) == []
