import asyncio
import gzip
from dataclasses import replace

import orjson
import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue.plans import Plans
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Inventory
from services.bookings.seats.reading import Screenings
from services.bookings.seats.screening import Occupancy, Screening
from services.bookings.seats.seat_maps import FRESH_SECONDS, SeatMap, SeatMaps, Variant
from services.kit.database.postgres import Pool
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.rooms import PLAN_ID, Rooms, hall
from tests.services.bookings.seats.conftest import Box, Clock

SCREENING = concert(capacity=8, plan_id=PLAN_ID, price_amount_minor=900, price_currency="EUR")
LARGE = 2_001


class CountedScreenings(Screenings):
    """Counts reads of seats, and can hold them up."""

    def __init__(self, pool: Pool, catalogue: Catalogue) -> None:
        super().__init__(pool, catalogue)
        self.reads = 0
        self.has_found, self.has_read, self.may_go_on = (asyncio.Event() for _ in range(3))
        self.may_go_on.set()

    async def find(self, event_id: int, viewer: Viewer) -> Screening:
        """Reads a screening."""
        found = await super().find(event_id, viewer)
        self.has_found.set()
        return found

    async def occupancy(self, event_id: int) -> Occupancy:
        """Reads which seats are taken, and returns once it is let go."""
        self.reads += 1
        found = await super().occupancy(event_id)
        self.has_read.set()
        await self.may_go_on.wait()
        return found


class Cinema:
    """Shows the maps of one screening."""

    def __init__(self, screenings: CountedScreenings, plans: Plans, clock: Clock) -> None:
        self.screenings = screenings
        self.maps = SeatMaps(screenings, plans, clock=clock)

    async def show(
        self, variant: Variant = Variant.WHOLE, *, is_gzip: bool = False, known: str = ""
    ) -> SeatMap:
        """Gets the map as a client does."""
        screening = await self.screenings.find(1, GUEST)
        return await self.maps.get(
            screening, variant, accepts_gzip=is_gzip, if_none_match=known and f'"{known}"'
        )

    async def statuses(self) -> list[str]:
        """Lists the statuses of all seats."""
        return [seat["status"] for seat in orjson.loads((await self.show()).body or b"")["seats"]]


@pytest.fixture
def clock() -> Clock:
    """Returns a clock that stands still."""
    return Clock()


@pytest.fixture
def cinema(pool: Pool, catalogue: Catalogue, plans: Plans, clock: Clock) -> Cinema:
    """Returns the maps of screenings in the database."""
    return Cinema(CountedScreenings(pool, catalogue), plans, clock)


async def test_each_seat_has_the_status_that_is_stored(
    inventory: Inventory, box: Box, cinema: Cinema
) -> None:
    """A bit would be read as another seat or status, for example in the second block."""
    await inventory.apply(SCREENING)
    await box.take(1, held=[1], sold=[3, 8], blocked=[4])
    expected = ["AVAILABLE"] * 8
    expected[0], expected[2], expected[3], expected[7] = "HELD", "SOLD", "BLOCKED", "SOLD"
    assert await cinema.statuses() == expected


async def test_seats_beyond_the_first_block_are_read(
    inventory: Inventory, box: Box, rooms: Rooms, cinema: Cinema
) -> None:
    """A block of a large room would be read as another block."""
    rooms.plans[PLAN_ID] = hall(3, 1_000)
    await inventory.apply(replace(SCREENING, capacity=3_000))
    await box.take(1, held=[1_024, 1_025], sold=[2_999])
    sparse = orjson.loads((await cinema.show(Variant.SPARSE)).body or b"")
    assert (sparse["held"], sparse["sold"]) == ([1_024, 1_025], [2_999])


async def test_a_client_with_the_newest_map_is_not_sent_it_again(
    inventory: Inventory, box: Box, cinema: Cinema
) -> None:
    """A client with the newest map would make bookings read all seats again."""
    await inventory.apply(SCREENING)
    shown = await cinema.show()
    assert (await cinema.show(known=shown.version.tag)).body is None
    assert (await cinema.show(known="W/x")).body == shown.body
    assert cinema.screenings.reads == 1
    await box.take(1, held=[2])
    assert (await cinema.show(known=shown.version.tag)).body is not None


async def test_other_prices_are_another_map(inventory: Inventory, cinema: Cinema) -> None:
    """A new price, which changes no revision of the inventory, would get 304."""
    await inventory.apply(SCREENING)
    before = await cinema.show()
    await inventory.apply(replace(SCREENING, rev=2, seat_type_prices={"REGULAR": 1_200}))
    after = await cinema.show(known=before.version.tag)
    assert orjson.loads(after.body or b"")["seats"][0]["price"]["amount_minor"] == 1_200
    assert after.version.rev == before.version.rev


async def test_a_map_is_compressed_once(inventory: Inventory, cinema: Cinema) -> None:
    """Each visitor would cost a compression, or get bytes that they cannot decompress."""
    await inventory.apply(SCREENING)
    plain, packed = await cinema.show(), await cinema.show(is_gzip=True)
    assert gzip.decompress(packed.body or b"") == plain.body
    assert (await cinema.show(is_gzip=True)).body is packed.body
    known = f"{packed.version.tag}-gzip"
    assert (await cinema.show(is_gzip=True, known=known)).body is None
    assert cinema.screenings.reads == 2


async def test_a_large_map_is_printed_a_few_times_a_second(
    inventory: Inventory, box: Box, rooms: Rooms, cinema: Cinema, clock: Clock
) -> None:
    """On sale, an arena would print megabytes for each hold, or an older map have a newer tag."""
    rooms.plans[PLAN_ID] = hall(3, LARGE // 3 + 1)
    await inventory.apply(replace(SCREENING, capacity=LARGE))
    before = await cinema.show()
    await box.take(1, held=[1])
    clock.seconds = FRESH_SECONDS - 0.01
    assert await cinema.show() is before
    assert (await cinema.show(known=before.version.tag)).body is None
    clock.seconds = FRESH_SECONDS
    after = await cinema.show()
    assert after.version.rev == before.version.rev + 1


async def test_a_small_map_is_never_older_than_the_request(
    inventory: Inventory, box: Box, cinema: Cinema
) -> None:
    """A user who has just held a seat would see it as free."""
    await inventory.apply(SCREENING)
    await cinema.show()
    await box.take(1, held=[1])
    assert (await cinema.statuses())[0] == "HELD"


async def test_a_caller_who_joins_an_older_print_gets_a_newer_one(
    inventory: Inventory, box: Box, cinema: Cinema
) -> None:
    """A map that was read before a hold would be sent after it as the newest."""
    await inventory.apply(SCREENING)
    read = cinema.screenings
    read.may_go_on.clear()
    early = asyncio.create_task(cinema.show())
    await read.has_read.wait()
    await box.take(1, held=[1])
    read.has_found.clear()
    late = asyncio.create_task(cinema.show())
    await read.has_found.wait()
    read.may_go_on.set()
    assert (await late).version.rev == (await early).version.rev + 1


async def test_a_crowd_shares_one_print(inventory: Inventory, cinema: Cinema) -> None:
    """A rush on the map of a sale would print it for each visitor."""
    await inventory.apply(SCREENING)
    shown = await asyncio.gather(*(cinema.show() for _ in range(50)))
    assert {id(seat_map) for seat_map in shown} == {id(shown[0])}
    assert cinema.screenings.reads == 1


async def test_no_more_maps_are_kept_than_memory_is_for(
    inventory: Inventory, cinema: Cinema, plans: Plans
) -> None:
    """A process would keep the maps of all screenings and run out of memory."""
    maps = SeatMaps(cinema.screenings, plans, kept_bytes=2_500)
    for event_id in (1, 2, 1, 2):
        await inventory.apply(replace(SCREENING, event_id=event_id))
        screening = await cinema.screenings.find(event_id, GUEST)
        await maps.get(screening, Variant.WHOLE, accepts_gzip=False, if_none_match="")
    assert cinema.screenings.reads == 4
