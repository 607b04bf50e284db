import asyncio
import itertools
from collections import Counter

import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue.read_through import Catalogue
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.changes import Booking
from services.bookings.inventory.commands import Booked, Replayed, Waiting
from services.bookings.inventory.payment_commands import Paid
from services.bookings.reservations.cancellations import Cancellations
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list.waiting_list import Standing, WaitingList
from services.kit.auth.authentication import Caller
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import PermissionDenied, Refusal
from services.kit.rpc.paging import cut, parse
from tests.conftest import Database
from tests.services.bookings.asking import GUEST, seat, seat_by_key, summaries
from tests.services.bookings.conftest import clock_forward, drift
from tests.services.bookings.inventory.payments import paid, start
from tests.services.bookings.ledger import replay
from tests.services.bookings.waiting_list.conftest import PRICED, book, cancel, left, show

REPLICAS = 4


async def test_decisions_about_a_line_are_stored(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """A position, an offer or its end would be lost between two transactions."""
    await inventory.apply(show(capacity=3, **PRICED))
    assert summaries(await book(reservations, "a", "b", "c")) == ["BOOKED"] * 3
    assert summaries(await book(reservations, "big", seats=2)) == [1]
    assert summaries(await book(reservations, "d", "e", "big")) == [2, 3, "ALREADY_WAITING"]
    assert not (await cancel(inventory, "a")).result.promoted
    assert (await cancel(inventory, "d")).result.status == "left_waiting_list"
    assert await line.standing(1, "e") == Standing("waiting", 2)
    assert (await cancel(inventory, "b")).result.promoted
    offer = await line.standing(1, "big")
    assert (offer.status, offer.offer_expires_at is not None) == ("offered", True)
    assert summaries(await reservations.decide([seat(1, "big")])) == ["ALREADY_BOOKED"]
    [again] = await book(reservations, "big")
    assert isinstance(again, Booked)
    assert (again.booking.seat_count, again.booking.status) == (2, "HELD")
    assert await line.standing(1, "big") == offer
    await pay(inventory, again.booking)
    assert await line.standing(1, "big") == Standing("booked")
    assert (await line.entry(1, "big")).state == "SERVED"
    for user, reason in (("d", "ALREADY_CANCELLED"), ("nobody", "BOOKING_NOT_FOUND")):
        assert (await cancel(inventory, user)).reason == reason
    assert summaries(await book(reservations, "d")) == [2]
    assert drift(database) == []


async def test_500_at_once_for_100_tickets(
    pool: Pool, inventory: Inventory, catalogue: Catalogue, database: Database
) -> None:
    """A rush would sell a seat twice, or give positions with gaps or duplicates."""
    await inventory.apply(show(capacity=100))
    offices = [Reservations(Inventory(pool), catalogue) for _ in range(REPLICAS)]
    batches = [[f"user-{batch}-{n}" for n in range(20)] for batch in range(25)]
    answers = await asyncio.gather(
        *(book(offices[n % REPLICAS], *batch) for n, batch in enumerate(batches))
    )
    outcomes = list(itertools.chain.from_iterable(answers))
    counted = Counter(map(type, outcomes))
    assert counted == {Booked: 100, Waiting: 400}
    positions = sorted(one.position for one in outcomes if isinstance(one, Waiting))
    assert positions == list(range(1, 401))
    assert drift(database) == []


async def test_every_way_of_freeing_seats_loads_the_line(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    pool: Pool,
    database: Database,
) -> None:
    """Some way of freeing seats would leave them free while users wait."""
    await inventory.apply(show(capacity=1))
    [first, *_] = await book(reservations, "a", "b", "c", "d", "e", "f")
    assert isinstance(first, Booked)
    await Cancellations(pool, inventory).cancel(first.booking.id)
    assert await line.standing(1, "b") == Standing("booked")
    await inventory.apply(show(capacity=3, rev=2))
    assert await line.standing(1, "d") == Standing("booked")
    assert await line.standing(1, "e") == Standing("waiting", 1)
    await inventory.apply(show(capacity=9, rev=3))
    assert await left(inventory) == (9 - 5, 0)
    assert drift(database) == []


async def test_smaller_parties_pass_a_head_after_a_while(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """The time since which a head blocks the line, or the parties behind it, would be lost."""
    await inventory.apply(show(capacity=3))
    await inventory.set_skip_fit(1, 60)
    await book(reservations, "a", "b", "x")
    assert summaries(await book(reservations, "big", seats=2)) == [1]
    await book(reservations, "c", "d")
    await cancel(inventory, "x")
    await inventory.sweep()
    assert await line.standing(1, "c") == Standing("waiting", 2)
    clock_forward(database, seconds=61)
    await inventory.sweep()
    assert await line.standing(1, "c") == Standing("booked")
    assert [await line.standing(1, user) for user in ("big", "d")] == [
        Standing("waiting", 1),
        Standing("waiting", 2),
    ]
    assert drift(database) == []


async def test_a_cancellation_is_replayed_though_the_event_is_gone(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """A repeated cancellation would fail because the event was deleted meanwhile."""
    await inventory.apply(show(capacity=1))
    await book(reservations, "a", "b")
    given = await cancel(inventory, "a", key="k")
    await inventory.apply(show(rev=2, deleted=True))
    again = await cancel(inventory, "a", key="k")
    assert (again.replayed, given.result.promoted) == (True, True)
    assert again.result == given.result
    assert again.inventory_revision == given.inventory_revision
    assert (await cancel(inventory, "a")).reason == "EVENT_NOT_FOUND"


async def test_keys_are_answered_again(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """A repeated request would get a new position, or a key be used for another request."""
    await inventory.apply(show(capacity=1))
    await book(reservations, "a", "b")
    asked, twice = seat_by_key(1, "c", key="k"), seat_by_key(1, "c", key="l")
    first = await reservations.decide([asked, twice])
    assert summaries(first) == [2, "ALREADY_WAITING"]
    assert asked.answer is not None
    await cancel(inventory, "a", key="g")
    again, refused = await reservations.decide([asked, twice])
    assert again == Replayed(asked.answer(first[0]).SerializeToString())
    assert isinstance(refused, Refusal)
    assert (refused.reason, refused.metadata["position"]) == ("ALREADY_WAITING", "2")
    assert refused.metadata["replayed"] == "true"
    given = await cancel(inventory, "a", key="g")
    assert (given.result.status, given.result.promoted) == ("cancelled", True)
    assert given.replayed
    assert (await cancel(inventory, "b", key="g")).reason == "IDEMPOTENCY_KEY_REUSED"


async def test_the_list_is_walked_in_order(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Pages would repeat or skip users, or show the list to others than the owner."""
    await inventory.apply(show(capacity=1, organizer_id="acct_owner"))
    await book(reservations, "first", *(f"user-{n}" for n in range(5)), "acct_ada")
    await cancel(inventory, "user-1")
    event = (await inventory.count_seats([1]))[1]
    seen, token = [], ""
    for _ in range(2):
        page = parse(2, token, scope="")
        shown, token = cut(await line.list_waiting(event, page, GUEST), page)
        seen += [(entry.user_id, entry.position) for entry in shown]
    assert (seen, token) == ([("user-0", 1), ("user-2", 2), ("user-3", 3), ("user-4", 4)], "")
    owner = Viewer(Caller("acct_owner"), open_access=False)
    assert len(await line.list_waiting(event, parse(0, "", scope=""), owner)) == 5
    stranger = Viewer(Caller("acct_ada"), open_access=False)
    with pytest.raises(PermissionDenied):
        await line.list_waiting(event, parse(0, "", scope=""), stranger)


async def pay(inventory: Inventory, booking: Booking) -> None:
    """Pays a booking of event 1."""
    settled = paid(booking.id, minor=booking.price_amount_minor or 0)
    for command in (start(booking.id), settled):
        [outcome] = await inventory.decide([Ask(command)])
        assert isinstance(outcome, Paid), outcome


async def test_changes_are_told_in_order(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """A client that follows the list would miss a change, or get one twice."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c", "d")
    await cancel(inventory, "c")
    await cancel(inventory, "a")
    [offer] = await book(reservations, "b")
    assert isinstance(offer, Booked)
    await pay(inventory, offer.booking)
    changes = await line.changes(1, 0)
    assert [(change.user_id, change.state, change.position) for change in changes] == [
        ("b", "WAITING", None),
        ("c", "WAITING", None),
        ("d", "WAITING", 1),
        ("c", "LEFT", None),
        ("b", "OFFERED", None),
        ("b", "SERVED", None),
    ]
    assert await line.changes(1, changes[2].rev) == changes[3:]
    assert await line.changes(1, changes[-1].rev) == []


async def test_400_cancel_while_400_book(
    pool: Pool,
    inventory: Inventory,
    reservations: Reservations,
    catalogue: Catalogue,
    line: WaitingList,
    database: Database,
) -> None:
    """Parallel cancellations and bookings would oversell, overtake or free a seat twice."""
    await inventory.apply(show(capacity=400))
    await book(reservations, *(f"holder-{n}" for n in range(400)))
    office = Reservations(Inventory(pool), catalogue)
    cancelled, came = await asyncio.gather(
        asyncio.gather(*(cancel(inventory, f"holder-{n}") for n in range(400))),
        asyncio.gather(*(book(office, *(f"late-{b}-{n}" for n in range(10))) for b in range(40))),
    )
    assert {given.result.status for given in cancelled} == {"cancelled"}
    assert set(map(type, itertools.chain.from_iterable(came))) <= {Booked, Waiting}
    assert await left(inventory) == (0, 0)
    replayed = replay(database, 1, capacity=400)
    assert (replayed.taken, len(replayed.line), len(replayed.freed)) == (400, 0, 400)
    assert drift(database) == []
