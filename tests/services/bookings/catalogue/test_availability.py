from dataclasses import replace
from typing import Any

import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue.availability import Availability
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.errors import EventNotFound
from services.bookings.inventory import Inventory, Seats
from services.bookings.reservations.reservations import Reservations
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import Unavailable
from tests.services.bookings.asking import GUEST, seat
from tests.services.bookings.conftest import ScriptedCatalogue, concert

OTHER = Viewer(Caller("acct_other", Role.ORGANIZER), open_access=True)
OWNER = Viewer(Caller("acct_owner", Role.ORGANIZER), open_access=False)
ADMIN = Viewer(Caller("acct_admin", Role.ADMIN), open_access=False)


@pytest.fixture
def availability(inventory: Inventory, catalogue: Catalogue) -> Availability:
    """Returns availability over the scripted catalogue."""
    return Availability(inventory, catalogue)


async def test_seats_are_counted_with_their_revision(
    inventory: Inventory, reservations: Reservations, availability: Availability
) -> None:
    """Without a revision clients could not tell which of two counts is newer."""
    await inventory.apply(concert(capacity=3))
    await reservations.decide([seat(1, "ada"), seat(1, "bob")])
    assert await availability.count([1], GUEST) == {
        1: Seats(event_id=1, capacity=3, booked=2, waiting=0, rev=3)
    }


async def test_an_event_that_was_just_made_has_all_its_seats(
    scripted: ScriptedCatalogue, availability: Availability
) -> None:
    """An event whose push was lost would be reported as missing."""
    scripted.states[1] = concert(capacity=3)
    seats = (await availability.count([1], GUEST))[1]
    assert isinstance(seats, Seats)
    assert (seats.capacity, seats.booked) == (3, 0)


@pytest.mark.parametrize("hidden", [{"deleted": True}, {"status": "DRAFT"}])
async def test_a_hidden_event_does_not_exist(
    inventory: Inventory, availability: Availability, hidden: dict[str, Any]
) -> None:
    """A count would reveal that a draft or a deleted event exists."""
    await inventory.apply(concert(**hidden))
    for viewer in (GUEST, OTHER):
        counted = await availability.count([1, 2], viewer)
        for seats in counted.values():
            assert isinstance(seats, EventNotFound)
            assert seats.metadata == {}


@pytest.mark.parametrize("viewer", [OWNER, ADMIN])
async def test_a_draft_exists_for_its_owner(
    inventory: Inventory, availability: Availability, viewer: Viewer
) -> None:
    """Owners and admins could not see the seats of a draft, or could still see a deleted event."""
    draft = concert(capacity=3, status="DRAFT", organizer_id="acct_owner")
    await inventory.apply(draft)
    [seats] = (await availability.count([1], viewer)).values()
    assert isinstance(seats, Seats)
    assert (seats.capacity, seats.booked) == (3, 0)
    await inventory.apply(replace(draft, rev=2, deleted=True))
    [seats] = (await availability.count([1], viewer)).values()
    assert isinstance(seats, EventNotFound)


async def test_each_event_succeeds_or_fails_alone(
    inventory: Inventory, scripted: ScriptedCatalogue, availability: Availability
) -> None:
    """One unknown event would fail a whole batch while events is down, or be called missing."""
    await inventory.apply(concert())
    scripted.refusal = Unavailable()
    counted = await availability.count([1, 2], GUEST)
    assert isinstance(counted[1], Seats)
    assert isinstance(counted[2], Unavailable)


async def test_a_cancelled_event_has_its_seats_back(
    inventory: Inventory, reservations: Reservations, availability: Availability
) -> None:
    """A cancelled event would disappear, or still count seats as booked."""
    await inventory.apply(concert(capacity=3))
    await reservations.decide([seat(1, "ada")])
    await inventory.apply(concert(capacity=3, rev=2, status="CANCELLED"))
    seats = (await availability.count([1], GUEST))[1]
    assert isinstance(seats, Seats)
    assert seats.booked == 0
