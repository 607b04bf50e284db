from collections.abc import Awaitable, Callable

import pytest

from boxoffice.rest.v1 import rest_pb2
from services.bookings.access import Viewer
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import BookingNotFound, EventNotFound
from services.bookings.inventory import Inventory
from services.bookings.inventory.changes import Booking
from services.bookings.reservations.reading import BookingDetails, Bookings
from services.bookings.reservations.reservations import Reservations
from services.kit.auth.authentication import Caller, Role
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import PermissionDenied, Unavailable
from services.kit.rpc.paging import Page, cut, parse
from tests.services.bookings.asking import GUEST, booked, seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert

USERS = ["ada", "bob", "cy", "dé"]
List = Callable[[Page], Awaitable[list[BookingDetails]]]


@pytest.fixture
def bookings(pool: Pool, inventory: Inventory, catalogue: Catalogue) -> Bookings:
    """Returns the reader of bookings."""
    return Bookings(pool, Availability(inventory, catalogue))


@pytest.fixture
async def ids(inventory: Inventory, reservations: Reservations) -> list[int]:
    """Books three events for four users; returns the numbers in the order of booking."""
    made: list[Booking] = []
    for event_id in (1, 2, 3):
        await inventory.apply(concert(event_id))
        made += await booked(reservations, [seat(event_id, user) for user in USERS])
    return [booking.id for booking in made]


async def walk(read: List, size: int) -> list[int]:
    """Reads all pages of a list."""
    walked: list[int] = []
    token = ""
    while True:
        page = parse(size, token, scope="")
        found, token = cut(await read(page), page)
        walked += [booking.id for booking in found]
        if not token:
            return walked


@pytest.mark.parametrize("size", [1, 3, 4, 12, 200])
async def test_pages_show_every_booking_once_newest_first(
    bookings: Bookings, ids: list[int], size: int
) -> None:
    """A list would repeat or skip bookings at the edges of its pages."""
    newest = sorted(ids, reverse=True)
    assert await walk(lambda page: bookings.list_all(page, GUEST), size) == newest
    of_bob = newest[2::4]
    assert await walk(lambda page: bookings.list_of_user("bob", page, GUEST), size) == of_bob
    assert await walk(lambda page: bookings.list_of_event(2, page, GUEST), size) == newest[4:8]


async def test_a_booking_made_meanwhile_shifts_no_page(
    bookings: Bookings, reservations: Reservations, ids: list[int]
) -> None:
    """A new booking would shift the pages, so that one is shown twice or skipped."""
    page = parse(5, "", scope="")
    first, token = cut(await bookings.list_all(page, GUEST), page)
    await reservations.decide([seat(1, "late")])
    rest = await bookings.list_all(parse(100, token, scope=""), GUEST)
    assert [booking.id for booking in [*first, *rest]] == sorted(ids, reverse=True)


async def test_a_booking_tells_its_event(bookings: Bookings, ids: list[int]) -> None:
    """A booking would show the name or price of another event."""
    booking = await bookings.get(ids[0], GUEST)
    assert (booking.event_id, booking.user_id, booking.status) == (1, "ada", "CONFIRMED")
    assert (booking.event_name, booking.seat_count) == ("Concert", 1)


async def test_an_unknown_booking_is_not_found(bookings: Bookings) -> None:
    """A missing booking would fail as INTERNAL."""
    with pytest.raises(BookingNotFound):
        await bookings.get(2**63 - 1, GUEST)


OWNER = "acct_owner"
ACCOUNTS = {name: Viewer(Caller(f"acct_{name}"), open_access=False) for name in ("ada", "owner")}
STRANGER = Viewer(Caller("acct_stranger"), open_access=False)
ADMIN = Viewer(Caller("acct_admin", Role.ADMIN), open_access=False)
ANY_USER = Viewer(Caller("acct_key", scopes={rest_pb2.SCOPE_BOOKINGS_ANY_USER}), open_access=False)
LOOKER = Viewer(Caller("acct_ada"), open_access=True)


@pytest.fixture
async def mixed(inventory: Inventory, reservations: Reservations) -> list[int]:
    """Books an owned event for two accounts and a guest, and another one for the guest."""
    await inventory.apply(concert(1, organizer_id=OWNER))
    await inventory.apply(concert(2))
    asked = [(1, "acct_ada"), (1, "acct_bob"), (1, "guest"), (2, "guest")]
    return [await number_of(reservations, event_id, user) for event_id, user in asked]


async def number_of(reservations: Reservations, event_id: int, user: str) -> int:
    """Books a seat; returns the number of the booking, which is above those of earlier ones."""
    [booking] = await booked(reservations, [seat(event_id, user)])
    return booking.id


SEEN = {
    "admin": (ADMIN, [0, 1, 2, 3]),
    "key for any user": (ANY_USER, [0, 1, 2, 3]),
    "owner of the event": (ACCOUNTS["owner"], [0, 1, 2]),
    "one who booked": (ACCOUNTS["ada"], [0]),
    "one who did not": (STRANGER, []),
    "nobody under open access": (GUEST, [2, 3]),
    "one who booked, under open access": (LOOKER, [0, 2, 3]),
}


@pytest.mark.parametrize(("viewer", "seen"), SEEN.values(), ids=SEEN)
async def test_a_booking_exists_for_those_who_may_see_it(
    bookings: Bookings, mixed: list[int], viewer: Viewer, seen: list[int]
) -> None:
    """A caller would see a booking of somebody else, or not see their own."""
    for index, booking_id in enumerate(mixed):
        if index in seen:
            assert (await bookings.get(booking_id, viewer)).id == booking_id
        else:
            with pytest.raises(BookingNotFound):
                await bookings.get(booking_id, viewer)
        reference = (await bookings.get(booking_id, ADMIN)).reference
        if index in seen or index >= 2:
            assert (await bookings.get_by_reference(reference, viewer)).id == booking_id
        else:
            with pytest.raises(BookingNotFound):
                await bookings.get_by_reference(reference, viewer)


@pytest.mark.parametrize(("viewer", "seen"), SEEN.values(), ids=SEEN)
async def test_lists_show_what_one_may_see(
    bookings: Bookings, mixed: list[int], viewer: Viewer, seen: list[int]
) -> None:
    """A list would show bookings that the caller may not see, or hide those that they may."""
    page = parse(0, "", scope="")
    if viewer in (ADMIN, ANY_USER, GUEST, LOOKER):
        listed = [booking.id for booking in await bookings.list_all(page, viewer)]
        assert sorted(listed) == [mixed[index] for index in seen]
    else:
        with pytest.raises(PermissionDenied):
            await bookings.list_all(page, viewer)
    if viewer in (ACCOUNTS["ada"], STRANGER):
        with pytest.raises(PermissionDenied):
            await bookings.list_of_event(1, page, viewer)
    else:
        listed = [booking.id for booking in await bookings.list_of_event(1, page, viewer)]
        assert sorted(listed) == [mixed[index] for index in seen if index < 3]


async def test_an_ownerless_event_is_listed_to_admins_alone(
    bookings: Bookings, mixed: list[int]
) -> None:
    """Any user could list the bookings of an event that was created without a token."""
    page = parse(0, "", scope="")
    assert len(await bookings.list_of_event(2, page, ADMIN)) == 1
    for viewer in (ACCOUNTS["owner"], STRANGER):
        with pytest.raises(PermissionDenied):
            await bookings.list_of_event(2, page, viewer)


async def test_a_hidden_event_has_no_list(bookings: Bookings, inventory: Inventory) -> None:
    """A list would reveal that a draft or a deleted event exists."""
    page = parse(0, "", scope="")
    await inventory.apply(concert(1, organizer_id=OWNER, status="DRAFT"))
    await inventory.apply(concert(2, organizer_id=OWNER, deleted=True))
    assert await bookings.list_of_event(1, page, ACCOUNTS["owner"]) == []
    for event_id, viewer in ((1, STRANGER), (1, GUEST), (2, ACCOUNTS["owner"]), (2, ADMIN)):
        with pytest.raises(EventNotFound):
            await bookings.list_of_event(event_id, page, viewer)


async def test_an_event_is_learned_of_before_its_list_is_denied(
    bookings: Bookings, scripted: ScriptedCatalogue
) -> None:
    """The owner of a new event would be denied its list, or the event be called missing."""
    page = parse(0, "", scope="")
    scripted.states[1] = concert(1, organizer_id=OWNER)
    with pytest.raises(PermissionDenied):
        await bookings.list_of_event(1, page, STRANGER)
    with pytest.raises(EventNotFound):
        await bookings.list_of_event(2, page, STRANGER)
    scripted.refusal = Unavailable()
    with pytest.raises(Unavailable):
        await bookings.list_of_event(2, page, STRANGER)


async def test_own_bookings_come_by_number(
    bookings: Bookings, reservations: Reservations, inventory: Inventory
) -> None:
    """Numbered pages would repeat or skip bookings, or their total be wrong."""
    for event_id in range(1, 6):
        await inventory.apply(concert(event_id))
    ids = [await number_of(reservations, event_id, "acct_ada") for event_id in range(1, 6)]
    await inventory.apply(concert(3, rev=2, status="CANCELLED"))
    page = parse(2, "", scope="")
    for number, expected in ((1, ids[:2:-1]), (2, ids[2:0:-1]), (3, ids[:1]), (4, [])):
        found, total = await bookings.list_own("acct_ada", None, number, page)
        assert ([booking.id for booking in found], total) == (expected, 5)
    cancelled, total = await bookings.list_own("acct_ada", "CANCELLED", 1, page)
    assert ([booking.id for booking in cancelled], total) == ([ids[2]], 1)
    assert await bookings.list_own("acct_bob", None, 1, page) == ([], 0)
