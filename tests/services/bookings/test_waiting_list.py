import asyncio
import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.cancellations import Cancellations
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import CREATE, TICKET, Outcome, Request, Reservation, Waiting
from services.bookings.errors import AlreadyCancelled, BookingNotFound, EventNotFound
from services.bookings.inventory import Inventory
from services.bookings.keys import Keys
from services.bookings.reservations import Reservations
from services.bookings.waiting_list import Given, Place, WaitingList
from services.kit.authentication import ANONYMOUS, Caller
from services.kit.errors import IdempotencyKeyReused, PermissionDenied, Refusal, Unavailable
from services.kit.paging import cut, parse
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.conftest import ScriptedCatalogue, clock_forward, concert, drift
from tests.services.bookings.ledger import replay

KEY = "show"
GUEST = Viewer(ANONYMOUS, open_access=True)
PRICED = {"price_amount_minor": 1000, "price_currency": "EUR"}


@pytest.fixture
def line(pool: Pool, catalogue: Catalogue) -> WaitingList:
    """Gives the waiting list."""
    return WaitingList(pool, Keys(pool, catalogue))


def show(capacity: int = 2, **changes: Any) -> Any:
    """Makes the state of an event with a key."""
    return concert(capacity=capacity, key=KEY, **changes)


async def book(reservations: Reservations, *users: str, seats: int = 1) -> list[Outcome]:
    """Asks for tickets, all at once."""
    return await reservations.reserve([Request(1, user, seats, way=TICKET) for user in users])


def told(outcomes: list[Outcome]) -> list[object]:
    """Gives what tells outcomes apart: a position, or what else it was."""
    return [
        one.position if isinstance(one, Waiting) else getattr(one, "reason", "BOOKED")
        for one in outcomes
    ]


async def test_who_comes_too_late_waits_in_order(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Positions from 1, the same ones when asked again, and when others have been served."""
    await inventory.apply(show())
    assert told(await book(reservations, "a", "b", "c", "d")) == ["BOOKED", "BOOKED", 1, 2]
    assert told(await book(reservations, "e", "c", "a")) == [3, "ALREADY_WAITING", "ALREADY_BOOKED"]
    again = (await book(reservations, "d"))[0]
    assert isinstance(again, Refusal)
    assert again.metadata["position"] == "2"
    assert await line.place(1, "e") == Place("waiting", 3)
    given = await line.give_back(KEY, "a", GUEST, "")
    assert given == Given("CANCELLED", promoted=True, rev=given.rev)
    assert [await line.place(1, user) for user in "abcde"] == [
        Place("none"),
        Place("booked"),
        Place("booked"),
        Place("waiting", 1),
        Place("waiting", 2),
    ]
    assert drift(database) == []


async def test_nobody_overtakes_those_who_wait(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """While a party waits for more seats than are free, each other way of booking is sold out."""
    await inventory.apply(show(capacity=3))
    await book(reservations, "a", "b")
    assert told(await book(reservations, "big", seats=2)) == [1]
    for key in (None, "k"):
        assert told(await reservations.reserve([Request(1, "walk-in", key=key)])) == ["SOLD_OUT"]
    assert told(await book(reservations, "c")) == [2]
    await line.give_back(KEY, "a", GUEST, "")
    assert await line.place(1, "big") == Place("booked")
    assert await line.place(1, "c") == Place("waiting", 1)


async def test_500_at_once_for_100_tickets(
    inventory: Inventory, reservations: Reservations, database: Database
) -> None:
    """100 have one, 400 wait at the positions from 1 to 400, with no gap and no twin."""
    await inventory.apply(show(capacity=100))
    batches = [[f"user-{batch}-{n}" for n in range(20)] for batch in range(25)]
    answers = await asyncio.gather(*(book(reservations, *batch) for batch in batches))
    outcomes = list(itertools.chain.from_iterable(answers))
    counted = Counter(map(type, outcomes))
    assert counted == {Reservation: 100, Waiting: 400}
    positions = sorted(one.position for one in outcomes if isinstance(one, Waiting))
    assert positions == list(range(1, 401))
    assert drift(database) == []


async def test_a_place_in_line_is_given_back(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Positions behind it move up; who left may come again, at the end."""
    await inventory.apply(show(capacity=1))
    await book(reservations, "a", "b", "c", "d")
    assert (await line.give_back(KEY, "c", GUEST, "")).outcome == "LEFT"
    assert await line.place(1, "d") == Place("waiting", 2)
    with pytest.raises(AlreadyCancelled):
        await line.give_back(KEY, "c", GUEST, "")
    with pytest.raises(BookingNotFound):
        await line.give_back(KEY, "nobody", GUEST, "")
    assert told(await book(reservations, "c")) == [3]


async def test_only_what_was_booked_for_oneself_is_given_back(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Bookings that a user may have any number of go by their references, live or not."""
    await inventory.apply(show())
    await reservations.reserve([Request(1, "a", way=CREATE)])
    with pytest.raises(BookingNotFound):
        await line.give_back(KEY, "a", GUEST, "")
    await book(reservations, "a")
    assert (await line.give_back(KEY, "a", GUEST, "")).outcome == "CANCELLED"
    with pytest.raises(AlreadyCancelled):
        await line.give_back(KEY, "a", GUEST, "")


async def test_a_head_that_leaves_lets_the_next_one_in(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """What it waited for in vain may be enough for those behind."""
    await inventory.apply(show(capacity=3))
    await book(reservations, "a", "b")
    assert told(await book(reservations, "big", seats=3)) == [1]
    await book(reservations, "c")
    given = await line.give_back(KEY, "big", GUEST, "")
    assert (given.outcome, given.promoted) == ("LEFT", True)
    assert await line.place(1, "c") == Place("booked")


async def test_every_way_of_freeing_seats_serves_the_line(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    pool: Pool,
    database: Database,
) -> None:
    """A cancellation by number or reference, and more seats; never a seat free with a head."""
    await inventory.apply(show(capacity=1))
    [first, *_] = await book(reservations, "a", "b", "c", "d", "e", "f")
    assert isinstance(first, Reservation)
    cancellations = Cancellations(pool)
    await cancellations.cancel(first.booking_id)
    assert await line.place(1, "b") == Place("booked")
    await inventory.apply(show(capacity=3, rev=2))
    assert await line.place(1, "d") == Place("booked")
    assert await line.place(1, "e") == Place("waiting", 1)
    await inventory.apply(show(capacity=9, rev=3))
    tickets = await line.tickets(KEY, GUEST)
    assert (tickets.available, tickets.waiting) == (9 - 5, 0)
    assert drift(database) == []


async def test_a_party_that_can_never_be_served_holds_nobody_up(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """It is refused when it asks, and passed by when the event shrinks below it."""
    await inventory.apply(show(capacity=3))
    assert told(await book(reservations, "huge", seats=4)) == ["SOLD_OUT"]
    await book(reservations, "a", "b")
    assert told(await book(reservations, "big", seats=3)) == [1]
    assert told(await book(reservations, "c")) == [2]
    await inventory.apply(show(capacity=2, rev=2))
    await line.give_back(KEY, "a", GUEST, "")
    assert await line.place(1, "c") == Place("booked")
    assert await line.place(1, "big") == Place("waiting", 1)


async def test_smaller_parties_pass_a_head_after_a_while(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    database: Database,
    pool: Pool,
) -> None:
    """Only where the event says so, and only once the head has held them up for long enough."""
    await inventory.apply(show(capacity=3))
    async with pool.connection() as connection:
        await connection.execute("UPDATE inventory SET skip_fit_after_seconds = 60")
    await book(reservations, "a", "b", "x")
    assert told(await book(reservations, "big", seats=2)) == [1]
    await book(reservations, "c", "d")
    await line.give_back(KEY, "x", GUEST, "")
    await line.sweep()
    assert await line.place(1, "c") == Place("waiting", 2)
    clock_forward(database, seconds=61)
    await line.sweep()
    assert await line.place(1, "c") == Place("booked")
    assert await line.place(1, "big") == Place("waiting", 1)
    assert await line.place(1, "d") == Place("waiting", 2)
    assert drift(database) == []


async def test_a_priced_seat_is_offered_and_accepted(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Held for two hours; booking again accepts it, and it is live from then on."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    assert (await line.give_back(KEY, "a", GUEST, "")).promoted
    offered = await line.place(1, "b")
    assert offered.status == "offered"
    assert offered.offer_expires_at is not None
    assert told(await reservations.reserve([Request(1, "b")])) == ["ALREADY_BOOKED"]
    assert told(await book(reservations, "b")) == ["BOOKED"]
    assert await line.place(1, "b") == Place("booked")
    assert (await line.entry(1, "b")).state == "SERVED"
    assert drift(database) == []


async def test_an_offer_is_accepted_as_it_was_made(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Whoever asks for other seats than were offered is told what they have, then and again."""
    await inventory.apply(show(capacity=2, **PRICED))
    await book(reservations, "a", seats=2)
    await book(reservations, "b", seats=2)
    await line.give_back(KEY, "a", GUEST, "")
    for replayed in (False, True):
        [accepted] = await reservations.reserve([Request(1, "b", key="k", way=TICKET)])
        assert isinstance(accepted, Reservation)
        assert (accepted.seat_count, accepted.replayed) == (2, replayed)
    assert drift(database) == []


async def test_a_declined_offer_goes_to_the_next(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """By cancelling it."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await line.give_back(KEY, "a", GUEST, "")
    assert (await line.give_back(KEY, "b", GUEST, "")).promoted
    assert (await line.entry(1, "b")).state == "LEFT"
    assert (await line.place(1, "c")).status == "offered"
    assert drift(database) == []


@pytest.mark.parametrize("swept", [True, False])
async def test_an_offer_that_ends_goes_to_the_next(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    database: Database,
    swept: bool,
) -> None:
    """Whether or not the sweeper lives: who comes by expires it too, and it is too late then."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await line.give_back(KEY, "a", GUEST, "")
    clock_forward(database, seconds=2 * 3600 + 1)
    assert await line.place(1, "b") == Place("none")
    if swept:
        await line.sweep()
    else:
        assert told(await reservations.reserve([Request(1, "walk-in")])) == ["SOLD_OUT"]
    assert (await line.entry(1, "b")).state == "EXPIRED"
    assert (await line.place(1, "c")).status == "offered"
    assert told(await book(reservations, "b")) == [1]
    assert drift(database) == []


async def test_who_declines_too_late_hears_of_the_revision_that_ended_the_offer(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Not of the one before, at which they still had it."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b")
    await line.give_back(KEY, "a", GUEST, "")
    clock_forward(database, seconds=2 * 3600 + 1)
    with pytest.raises(AlreadyCancelled) as refused:
        await line.give_back(KEY, "b", GUEST, "k")
    ended = await line.changes(1, 0)
    assert (ended[-1].user_id, ended[-1].state) == ("b", "EXPIRED")
    assert refused.value.metadata["inventory_revision"] == str(ended[-1].rev)


async def test_who_cancels_an_offer_too_late_hears_of_the_revision_that_ended_it(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    pool: Pool,
    database: Database,
) -> None:
    """The same is true of whoever names the booking that they were offered."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b")
    await line.give_back(KEY, "a", GUEST, "")
    offered = (await line.entry(1, "b")).booking_id
    assert offered is not None
    clock_forward(database, seconds=2 * 3600 + 1)
    with pytest.raises(AlreadyCancelled) as refused:
        await Cancellations(pool).cancel(offered)
    ended = await line.changes(1, 0)
    assert ended[-1].state == "EXPIRED"
    assert refused.value.metadata["inventory_revision"] == str(ended[-1].rev)


async def test_what_was_given_back_is_told_again_though_the_event_is_gone(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Without the key there is nothing to give back any more."""
    await inventory.apply(show(capacity=1))
    await book(reservations, "a", "b")
    given = await line.give_back(KEY, "a", GUEST, "k")
    await inventory.apply(show(rev=2, deleted=True))
    again = await line.give_back(KEY, "a", GUEST, "k")
    assert (again.outcome, again.promoted, again.rev) == (given.outcome, True, given.rev)
    with pytest.raises(EventNotFound):
        await line.give_back(KEY, "a", GUEST, "")


async def test_a_broken_event_does_not_stop_the_sweeper(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Offers of the other events end in time; that one event is broken is told all the same."""
    for number, key in ((1, "broken"), (2, KEY)):
        await inventory.apply(concert(number, capacity=1, key=key, **PRICED))
        for user in "abc":
            await reservations.reserve([Request(number, user, way=TICKET)])
        await line.give_back(key, "a", GUEST, "")
    with psycopg.connect(database.owner_dsn) as owner:
        owner.execute("UPDATE bookings.inventory SET held = 0 WHERE event_id = 1")
    clock_forward(database, seconds=2 * 3600 + 1)
    with pytest.raises(psycopg.errors.CheckViolation):
        await line.sweep()
    assert (await line.entry(2, "b")).state == "EXPIRED"
    assert (await line.place(2, "c")).status == "offered"


async def test_an_offer_that_ended_does_not_count(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """Its seat is shown as free though nobody has written that, unless it is for who waits."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await line.give_back(KEY, "a", GUEST, "")

    async def available() -> tuple[int, int]:
        [seats] = (await inventory.count_seats([1])).values()
        return (await line.tickets(KEY, GUEST)).available, seats.capacity - seats.booked

    clock_forward(database, seconds=2 * 3600 + 1)
    assert await available() == (0, 0)
    clock_forward(database, seconds=0)
    await line.give_back(KEY, "c", GUEST, "")
    assert await available() == (0, 0)
    clock_forward(database, seconds=2 * 3600 + 1)
    assert await available() == (1, 1)
    assert drift(database) == []


async def test_a_closed_event_sends_everybody_home(
    inventory: Inventory, reservations: Reservations, line: WaitingList, database: Database
) -> None:
    """At once for those who look, and chunk by chunk in the rows."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c")
    await line.give_back(KEY, "a", GUEST, "")
    await inventory.apply(show(capacity=1, rev=2, status="CANCELLED"))
    assert await line.place(1, "c") == Place("none")
    assert (await line.entry(1, "c")).state == "EXPIRED"
    assert told(await book(reservations, "d")) == ["EVENT_NOT_BOOKABLE"]
    while await inventory.close_chunk():
        pass
    assert (await line.entry(1, "b")).state == "EXPIRED"
    assert (await line.tickets(KEY, GUEST)).waiting == 0
    assert drift(database) == []


async def test_keys_are_answered_again(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """A position as it was then, a refusal, a cancellation; another content is refused."""
    await inventory.apply(show(capacity=1))
    await book(reservations, "a", "b")
    asked = Request(1, "c", key="k", way=TICKET)
    twice = Request(1, "c", key="l", way=TICKET)
    first = await reservations.reserve([asked, twice])
    assert told(first) == [2, "ALREADY_WAITING"]
    await line.give_back(KEY, "a", GUEST, "g")
    again = await reservations.reserve([asked, twice])
    assert told(again) == told(first)
    assert isinstance(again[0], Waiting)
    assert again[0].replayed
    assert isinstance(again[1], Refusal)
    assert (again[1].metadata["position"], again[1].metadata["replayed"]) == ("2", "true")
    repeated = await line.give_back(KEY, "a", GUEST, "g")
    assert (repeated.outcome, repeated.promoted, repeated.replayed) == ("CANCELLED", True, True)
    with pytest.raises(IdempotencyKeyReused):
        await line.give_back(KEY, "b", GUEST, "g")


async def test_an_event_is_found_by_its_key(
    inventory: Inventory, scripted: ScriptedCatalogue, line: WaitingList
) -> None:
    """Asked of the catalogue if need be; a draft and a deleted one are hidden."""
    scripted.states[7] = concert(7, key="new")
    assert (await line.tickets("new", GUEST)).event_id == 7
    with pytest.raises(EventNotFound):
        await line.tickets("7", GUEST)
    await inventory.apply(concert(8, key="draft", status="DRAFT", organizer_id="acct_owner"))
    with pytest.raises(EventNotFound):
        await line.tickets("draft", GUEST)
    owner = Viewer(Caller("acct_owner"), open_access=False)
    assert (await line.tickets("draft", owner)).event_id == 8
    scripted.refusal = Unavailable()
    with pytest.raises(Unavailable):
        await line.tickets("unheard-of", GUEST)


async def test_the_list_is_walked_in_order(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Page by page, with true positions; to others than the owner only under open access."""
    await inventory.apply(show(capacity=1, organizer_id="acct_owner"))
    await book(reservations, "first", *(f"user-{n}" for n in range(5)), "acct_ada")
    await line.give_back(KEY, "user-1", GUEST, "")
    event = await line.tickets(KEY, GUEST)
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


async def test_changes_are_told_in_order(
    inventory: Inventory, reservations: Reservations, line: WaitingList
) -> None:
    """Who joined, left and was served, each once, from any revision on."""
    await inventory.apply(show(capacity=1, **PRICED))
    await book(reservations, "a", "b", "c", "d")
    await line.give_back(KEY, "c", GUEST, "")
    await line.give_back(KEY, "a", GUEST, "")
    await book(reservations, "b")
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


async def test_offers_last_as_long_as_the_service_says(
    inventory: Inventory, reservations: Reservations, database: Database
) -> None:
    """But never past the start of the event."""
    starts_at = datetime.now(UTC) + timedelta(minutes=5)
    await inventory.apply(show(capacity=2, starts_at=starts_at, **PRICED))
    await book(reservations, "a", "b", "c", "d")
    ends = {}
    for seconds, giver, taker in ((60, "a", "c"), (3600, "b", "d")):
        session = {"bookings.offer_seconds": str(seconds)}
        async with patient_pool(
            database.bookings_dsn, schema="bookings", size=1, session=session
        ) as pool:
            catalogue = Catalogue(ScriptedCatalogue().fetch, inventory)
            line = WaitingList(pool, Keys(pool, catalogue))
            await line.give_back(KEY, giver, GUEST, "")
            ends[taker] = (await line.place(1, taker)).offer_expires_at
    assert ends["c"] is not None
    assert ends["c"] - datetime.now(UTC) < timedelta(seconds=60)
    assert ends["d"] == starts_at


async def test_400_cancel_while_400_book(
    inventory: Inventory,
    reservations: Reservations,
    line: WaitingList,
    database: Database,
) -> None:
    """Replayed from the ledger: never oversold, each seat freed once, all served in order."""
    await inventory.apply(show(capacity=400))
    await book(reservations, *(f"holder-{n}" for n in range(200)))
    await book(reservations, *(f"holder-{n}" for n in range(200, 400)))
    at_once = asyncio.Semaphore(4)

    async def cancel(number: int) -> Given:
        async with at_once:
            return await line.give_back(KEY, f"holder-{number}", GUEST, "")

    async def come(batch: int) -> list[Outcome]:
        async with at_once:
            return await book(reservations, *(f"late-{batch}-{n}" for n in range(10)))

    cancelled, came = await asyncio.gather(
        asyncio.gather(*map(cancel, range(400))), asyncio.gather(*map(come, range(40)))
    )
    assert {given.outcome for given in cancelled} == {"CANCELLED"}
    assert set(map(type, itertools.chain.from_iterable(came))) <= {Reservation, Waiting}
    tickets = await line.tickets(KEY, GUEST)
    assert (tickets.available, tickets.waiting) == (0, 0)
    told = replay(database, 1, capacity=400)
    assert (told.taken, len(told.line), len(told.freed)) == (400, 0, 400)
    assert drift(database) == []
