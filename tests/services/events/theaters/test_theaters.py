import pytest

from boxoffice.events.v1 import theaters_pb2
from tests.conftest import Database
from tests.services.events.client import Client, refused, rows
from tests.services.events.theaters import halls


async def get(client: Client, theater_id: int) -> theaters_pb2.Theater:
    """Gets a theater."""
    request = theaters_pb2.GetTheaterRequest(theater_id=theater_id)
    response: theaters_pb2.GetTheaterResponse = await client.call(
        client.theaters.GetTheater, request
    )
    return response.theater


async def listed(
    client: Client, page_size: int = 0, page_token: str = "", page: int | None = None
) -> theaters_pb2.ListTheatersResponse:
    """Lists a page of theaters."""
    request = theaters_pb2.ListTheatersRequest(
        page_size=page_size, page_token=page_token, page=page
    )
    response: theaters_pb2.ListTheatersResponse = await client.call(
        client.theaters.ListTheaters, request
    )
    return response


async def test_fields_that_an_admin_sets_come_back(client: Client) -> None:
    """A field would be lost when it is stored, or when it is read."""
    created = await halls.theater(client, name="Kino", location="Łódź", time_zone="Pacific/Apia")
    assert (created.name, created.location) == ("Kino", "Łódź")
    assert (created.time_zone, created.version) == ("Pacific/Apia", 1)
    assert await get(client, created.id) == created


async def test_a_theater_is_in_utc_unless_it_says_otherwise(client: Client) -> None:
    """The days of its screenings would have no midnight."""
    created = await halls.theater(client)
    assert (created.time_zone, created.HasField("location")) == ("UTC", False)


@pytest.mark.parametrize("time_zone", ["Europe/Atlantis", "CET+1", "localtime", "Factory"])
async def test_a_zone_that_is_none_is_refused(client: Client, time_zone: str) -> None:
    """The days of its screenings could not be computed."""
    with refused("VALIDATION_ERROR") as refusal:
        await halls.theater(client, time_zone=time_zone)
    assert refusal.paths == ["theater.time_zone"]


async def test_a_theater_shows_its_own_rooms(client: Client) -> None:
    """A theater would sell the seats of another one."""
    first, second = await halls.theater(client), await halls.theater(client)
    big = await halls.room(client, second.id, name="Big")
    small = await halls.room(client, second.id, name="Attic", rows=[{"row": "A", "seats": 1}])
    found = await get(client, second.id)
    assert [(room.id, room.name, room.capacity, room.plan_id) for room in found.rooms] == [
        (small.id, "Attic", 1, small.plan_id),
        (big.id, "Big", 5, big.plan_id),
    ]
    assert [len(theater.rooms) for theater in (await listed(client)).theaters] == [2, 0]
    assert (await get(client, first.id)).rooms == []


async def test_a_theater_has_another_version_when_its_rooms_change(client: Client) -> None:
    """A client that has the theater would be told that nothing changed."""
    theater = await halls.theater(client)
    room = await halls.room(client, theater.id)
    assert (await get(client, theater.id)).version == 2
    await halls.replace(client, room.id, name="Blue Hall")
    assert (await get(client, theater.id)).version == 3


async def test_theaters_are_listed_page_by_page(client: Client) -> None:
    """A theater would be on two pages, or on none."""
    ids = [(await halls.theater(client)).id for _ in range(3)][::-1]
    first = await listed(client, page_size=2)
    rest = await listed(client, page_size=2, page_token=first.next_page_token)
    assert [theater.id for page in (first, rest) for theater in page.theaters] == ids
    numbered = await listed(client, page_size=2, page=2)
    assert ([theater.id for theater in numbered.theaters], numbered.total) == (ids[2:], 3)


async def test_a_theater_that_is_not_there(client: Client) -> None:
    """A wrong number could be answered as a defect."""
    with refused("THEATER_NOT_FOUND"):
        await get(client, 9)


async def test_a_key_makes_one_theater(client: Client, database: Database) -> None:
    """A client that repeats its request after a timeout would make a second theater."""
    first = await halls.theater(client, request_id="k")
    assert await halls.theater(client, request_id="k") == first
    assert rows(database, "SELECT count(*) FROM theaters") == [(1,)]
