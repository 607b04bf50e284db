import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.bookings.access import Viewer
from services.bookings.catalogue import Catalogue
from services.bookings.decisions import (
    CREATE,
    RESERVE,
    TICKET,
    Outcome,
    Request,
    Reservation,
    Way,
)
from services.bookings.errors import AlreadyBooked, EventNotBookable, EventNotFound, SoldOut
from services.bookings.inventory import EventState, Inventory
from services.bookings.reservations import Reservations
from services.kit.callers import Caller, Role
from services.kit.errors import (
    Busy,
    IdempotencyKeyReused,
    Internal,
    Refusal,
    RequestInProgress,
    Unavailable,
)
from services.kit.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.conftest import (
    GATE,
    ScriptedCatalogue,
    concert,
    drift,
    put_a_gate_behind_the_lock,
    take_out_the_lock,
)
from tests.services.conditions import until_blocked

NOW = datetime.now(UTC)
ROUNDS = 10
HOUR = timedelta(hours=1)


def kinds(outcomes: Sequence[Outcome]) -> Counter[str]:
    """Counts outcomes by what they are."""
    return Counter(type(outcome).__name__ for outcome in outcomes)


async def rush(replicas: Sequence[Reservations], buyers: int, event_id: int = 1) -> list[Outcome]:
    """Lets buyers ask for a seat each, all at once and turn by turn at each replica."""
    asked = (
        replicas[number % len(replicas)].reserve([Request(event_id, f"user-{number}")])
        for number in range(buyers)
    )
    return [outcome for [outcome] in await asyncio.gather(*asked)]


async def test_a_seat_is_booked_with_its_revision(
    inventory: Inventory, reservations: Reservations
) -> None:
    """The answer says what was booked and which change of the inventory that was."""
    await inventory.apply(concert())
    [outcome] = await reservations.reserve([Request(1, "ada")])
    assert isinstance(outcome, Reservation)
    assert (outcome.event_id, outcome.user_id, outcome.rev) == (1, "ada", 2)
    assert not outcome.replayed


async def test_refusals_come_in_their_order(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A user who has a seat is told so even when the event is full, a full event says so last."""
    await inventory.apply(concert(capacity=1))
    outcomes = await reservations.reserve([Request(1, "ada"), Request(1, "ada"), Request(1, "bob")])
    assert list(map(type, outcomes)) == [Reservation, AlreadyBooked, SoldOut]
    later = await reservations.reserve([Request(1, "ada"), Request(1, "bob")])
    assert list(map(type, later)) == [AlreadyBooked, SoldOut]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"deleted": True}, EventNotFound),
        ({"status": "DRAFT"}, EventNotFound),
        ({"status": "CANCELLED"}, EventNotBookable),
        ({"status": "COMPLETED"}, EventNotBookable),
        ({"starts_at": NOW - HOUR}, EventNotBookable),
        ({"sales_open_at": NOW + HOUR}, EventNotBookable),
        ({"sales_close_at": NOW - HOUR}, EventNotBookable),
    ],
)
async def test_an_event_that_is_not_on_sale_is_refused(
    inventory: Inventory,
    reservations: Reservations,
    changes: dict[str, Any],
    refusal: type[Exception],
) -> None:
    """Status, start and sales window each close an event; a hidden one does not exist."""
    await inventory.apply(concert(**changes))
    [outcome] = await reservations.reserve([Request(1, "ada")])
    assert type(outcome) is refusal


@pytest.mark.parametrize("hidden", [{"deleted": True}, {"status": "DRAFT"}])
@pytest.mark.parametrize("way", [RESERVE, CREATE, TICKET])
async def test_nothing_tells_a_hidden_event_from_none(
    inventory: Inventory, reservations: Reservations, hidden: dict[str, Any], way: Way
) -> None:
    """Neither a revision nor what a key remembers; full or not makes no difference either."""
    await inventory.apply(concert(1, **hidden))
    await inventory.apply(concert(2, capacity=0, **hidden))
    for event_id in (1, 2, 3):
        for user in ("ada", "ada", "bob"):
            request = Request(event_id, user, key=f"key {event_id}", way=way)
            for asked in (request, replace(request, key=None)):
                [outcome] = await reservations.reserve([asked])
                assert isinstance(outcome, EventNotFound)
                assert outcome.metadata == {}


@pytest.mark.parametrize("way", [RESERVE, CREATE, TICKET])
async def test_a_draft_is_not_bookable_for_its_owner(
    inventory: Inventory, reservations: Reservations, way: Way
) -> None:
    """Who may see it is told so, and when; for everybody else in the batch it is none."""
    await inventory.apply(concert(1, status="DRAFT", organizer_id="acct_owner"))
    await inventory.apply(concert(2, status="DRAFT", organizer_id="acct_owner", deleted=True))
    await inventory.apply(concert(3, organizer_id="acct_owner"))
    owner, other, admin, guest = (
        Viewer(caller, open_access=True)
        for caller in (
            Caller("acct_owner", Role.ORGANIZER),
            Caller("acct_other", Role.ORGANIZER),
            Caller("acct_admin", Role.ADMIN),
            Caller(),
        )
    )
    asked = [
        Request(event_id, f"user-{number}", way=way, viewer=viewer)
        for event_id in (1, 2, 3, 4)
        for number, viewer in enumerate((owner, other, admin, guest))
    ]
    outcomes = await reservations.reserve(asked)
    told, hidden = EventNotBookable, EventNotFound
    assert list(map(type, outcomes[:8])) == [told, hidden, told, hidden, *[hidden] * 4]
    assert [outcome.metadata for outcome in outcomes[:4] if isinstance(outcome, Refusal)] == [
        {"inventory_revision": "1"},
        {},
    ] * 2
    assert kinds(outcomes[8:]) == {"Reservation": 4, "EventNotFound": 4}


async def test_an_event_on_sale_is_booked_within_its_window(
    inventory: Inventory, reservations: Reservations
) -> None:
    """The window's own limits let a booking through."""
    on_sale = concert(starts_at=NOW + HOUR, sales_open_at=NOW - HOUR, sales_close_at=NOW + HOUR)
    await inventory.apply(on_sale)
    [outcome] = await reservations.reserve([Request(1, "ada")])
    assert isinstance(outcome, Reservation)


async def test_several_bookings_where_the_event_allows_them(
    inventory: Inventory, reservations: Reservations
) -> None:
    """`one_booking_per_user` false lets a user book again, in one batch and in the next."""
    await inventory.apply(concert(capacity=3, one_booking_per_user=False))
    outcomes = await reservations.reserve([Request(1, "ada"), Request(1, "ada")])
    outcomes += await reservations.reserve([Request(1, "ada"), Request(1, "ada")])
    assert kinds(outcomes) == {"Reservation": 3, "SoldOut": 1}


async def test_an_unknown_event_is_learned_of(
    scripted: ScriptedCatalogue, reservations: Reservations
) -> None:
    """Reserving right after creating works, though nobody told bookings yet."""
    scripted.states[7] = concert(7)
    [outcome] = await reservations.reserve([Request(7, "ada")])
    assert isinstance(outcome, Reservation)


async def test_an_absent_event_is_asked_for_each_time(
    scripted: ScriptedCatalogue, reservations: Reservations
) -> None:
    """Absence is never remembered."""
    assert isinstance((await reservations.reserve([Request(7, "ada")]))[0], EventNotFound)
    scripted.states[7] = concert(7)
    assert isinstance((await reservations.reserve([Request(7, "ada")]))[0], Reservation)


async def test_known_events_are_sold_while_the_catalogue_is_away(
    inventory: Inventory, scripted: ScriptedCatalogue, reservations: Reservations
) -> None:
    """Only an unknown event needs events, and is unavailable then, not absent."""
    await inventory.apply(concert())
    scripted.refusal = Unavailable()
    outcomes = await reservations.reserve([Request(1, "ada"), Request(2, "ada")])
    assert isinstance(outcomes[0], Reservation)
    assert isinstance(outcomes[1], Unavailable)


@pytest.mark.parametrize("replicas", [1, 2])
async def test_200_buyers_of_50_seats_get_exactly_50(
    database: Database, inventory: Inventory, reservations: Reservations, replicas: int
) -> None:
    """The heart of it: no seat twice, none left, and counters, rows and ledger agree."""
    await inventory.apply(concert())
    async with patient_pool(database.bookings_dsn, schema="bookings", size=8) as other:
        twin = Reservations(other, reservations._catalogue)
        outcomes = await rush([reservations, twin][:replicas], 200)
    assert kinds(outcomes) == {"Reservation": 50, "SoldOut": 150}
    assert drift(database) == []


async def test_without_the_lock_the_rush_oversells(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Negative control: if this fails, the test above proves nothing."""
    take_out_the_lock(database)
    for event_id in range(1, ROUNDS + 1):
        await inventory.apply(concert(event_id))
        outcomes = await rush([reservations], 200, event_id)
        if kinds(outcomes)["Reservation"] > 50:
            return
    pytest.fail("nothing was oversold")


async def test_one_of_many_equal_users_is_booked(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A user who asks from many places at once has one seat."""
    await inventory.apply(concert())
    asked = (reservations.reserve([Request(1, "ada")]) for _ in range(64))
    outcomes = [outcome for [outcome] in await asyncio.gather(*asked)]
    assert kinds(outcomes) == {"Reservation": 1, "AlreadyBooked": 63}
    assert drift(database) == []


async def test_already_booked_names_the_booking(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A client that lost the answer finds its booking again."""
    await inventory.apply(concert())
    [made] = await reservations.reserve([Request(1, "ada")])
    [again] = await reservations.reserve([Request(1, "ada")])
    assert isinstance(made, Reservation)
    assert isinstance(again, AlreadyBooked)
    assert again.metadata["booking_id"] == str(made.booking_id)


async def test_a_key_has_one_effect_and_one_answer(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Of 64 equal requests one books; the others see its answer or that it is under way."""
    await inventory.apply(concert(one_booking_per_user=False))
    asked = (reservations.reserve([Request(1, "ada", key="k")]) for _ in range(64))
    outcomes = [outcome for [outcome] in await asyncio.gather(*asked)]
    made = [outcome for outcome in outcomes if isinstance(outcome, Reservation)]
    assert len({outcome.booking_id for outcome in made}) == 1
    assert sum(not outcome.replayed for outcome in made) == 1
    assert all(isinstance(outcome, Reservation | RequestInProgress) for outcome in outcomes)
    assert drift(database) == []


async def test_a_refusal_is_replayed_too(inventory: Inventory, reservations: Reservations) -> None:
    """A client that retries a sold-out request with its key never gets a seat unawares."""
    await inventory.apply(concert(capacity=1))
    await reservations.reserve([Request(1, "bob")])
    [first] = await reservations.reserve([Request(1, "ada", key="k")])
    await inventory.apply(concert(capacity=2, rev=2))
    [again] = await reservations.reserve([Request(1, "ada", key="k")])
    assert isinstance(first, SoldOut)
    assert isinstance(again, SoldOut)
    assert again.metadata == {**first.metadata, "replayed": "true"}


async def test_a_key_belongs_to_its_caller_and_content(
    inventory: Inventory, reservations: Reservations
) -> None:
    """The same key means nothing to another caller, and cannot be used for something else."""
    await inventory.apply(concert())
    await reservations.reserve([Request(1, "ada", key="k")])
    [other_content] = await reservations.reserve([Request(1, "bob", key="k")])
    [other_caller] = await reservations.reserve([Request(1, "bob", caller="acct_1", key="k")])
    assert isinstance(other_content, IdempotencyKeyReused)
    assert not other_content.metadata, "what became of the first request is its caller's"
    assert isinstance(other_caller, Reservation)


async def test_a_key_of_one_batch_twice_is_one_request(
    inventory: Inventory, reservations: Reservations
) -> None:
    """Twins within a batch are treated as if one had come after the other."""
    await inventory.apply(concert())
    same = Request(1, "ada", key="k")
    first, twin, stranger = await reservations.reserve([same, same, Request(1, "bob", key="k")])
    assert isinstance(first, Reservation)
    assert isinstance(twin, Reservation)
    assert (twin.booking_id, twin.replayed) == (first.booking_id, True)
    assert isinstance(stranger, IdempotencyKeyReused)


async def test_a_key_in_flight_is_refused_at_once(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Nobody waits for a key that another transaction owns."""
    await inventory.apply(concert())
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(E'\\x1freserve\\x1fk', 0))"
        )
        [outcome] = await reservations.reserve([Request(1, "ada", key="k")])
    assert isinstance(outcome, RequestInProgress)


async def test_keys_are_forgotten_after_a_day(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A key past its time is new again, before and after the sweeper took it away."""
    await inventory.apply(concert(one_booking_per_user=False))
    await reservations.reserve([Request(1, "ada", key="k"), Request(1, "ada", key="l")])
    with psycopg.connect(database.owner_dsn) as connection:
        connection.execute(
            "UPDATE bookings.idempotency SET decided_at = now() - interval '25 hours'"
        )
    [again] = await reservations.reserve([Request(1, "ada", key="k")])
    assert isinstance(again, Reservation)
    assert not again.replayed
    assert await reservations.forget_keys() is False
    with psycopg.connect(database.owner_dsn) as connection:
        assert connection.execute("SELECT key FROM bookings.idempotency").fetchall() == [("k",)]


async def test_batches_in_opposite_order_do_not_deadlock(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Locks are taken in the order of the events, whatever the order of the items."""
    for event_id in (1, 2, 3):
        await inventory.apply(concert(event_id, capacity=1_000))

    def batch(number: int, order: Sequence[int]) -> list[Request]:
        return [Request(event_id, f"user-{number}", key=f"{number}") for event_id in order]

    asked = (
        reservations.reserve(batch(number, (1, 2, 3) if number % 2 else (3, 2, 1)))
        for number in range(100)
    )
    outcomes = await asyncio.gather(*asked)
    assert all(isinstance(batch[0], Reservation) for batch in outcomes)
    assert drift(database) == []


async def test_an_event_that_appears_behind_the_lock_is_not_sold_without_it(
    database: Database,
    inventory: Inventory,
    scripted: ScriptedCatalogue,
    reservations: Reservations,
) -> None:
    """Buyers who came before the event was known here do not get a seat without its lock."""
    scripted.states[1] = concert(capacity=2)
    put_a_gate_behind_the_lock(database)
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as gate:
        await gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
        asked = asyncio.ensure_future(rush([reservations], 4))
        await until_blocked(gate, 4)
        await inventory.apply(concert(capacity=2))
        await gate.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        outcomes = await asked
    assert kinds(outcomes) == {"Reservation": 2, "SoldOut": 2}
    assert drift(database) == []


async def test_what_is_booked_is_said_though_the_rest_of_its_batch_fails(
    inventory: Inventory, pool: Pool
) -> None:
    """A database that is lost between the parts of a batch is no reason to deny the first part."""

    async def lose_connection(event: int | str) -> EventState:
        raise psycopg.OperationalError("server closed the connection")

    await inventory.apply(concert())
    reservations = Reservations(pool, Catalogue(lose_connection, inventory))
    booked, lost = await reservations.reserve([Request(1, "ada"), Request(2, "ada")])
    assert isinstance(booked, Reservation)
    assert isinstance(lost, Unavailable)


async def test_a_defect_in_the_rest_of_a_batch_is_its_own(inventory: Inventory, pool: Pool) -> None:
    """What nobody foresaw is a defect for those alone who met it."""

    async def fail(event: int | str) -> EventState:
        raise ValueError("a state that cannot be read")

    await inventory.apply(concert())
    reservations = Reservations(pool, Catalogue(fail, inventory))
    booked, lost = await reservations.reserve([Request(1, "ada"), Request(2, "ada")])
    assert isinstance(booked, Reservation)
    assert isinstance(lost, Internal)


async def test_a_locked_event_keeps_nobody_else_waiting(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """A batch that skips what is locked decides the free event and leaves the other undone."""
    await inventory.apply(concert(1))
    await inventory.apply(concert(2))
    batch = [Request(1, "ada", key="k"), Request(2, "ada"), Request(1, "bob")]
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        outcomes = await reservations.reserve(batch, skips_locked=True)
    assert list(map(type, outcomes)) == [Busy, Reservation, Busy]
    later = await reservations.reserve(batch)
    assert list(map(type, later)) == [Reservation, AlreadyBooked, Reservation]
    assert drift(database) == []


async def test_a_poisoned_item_fails_alone(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """What got past validation and the database cannot digest spoils no other item of its batch."""
    await inventory.apply(concert(capacity=100))
    batch = [Request(1, f"user-{number}") for number in range(63)]
    batch.insert(40, Request(1, "a\0b"))
    outcomes = await reservations.reserve(batch)
    assert kinds(outcomes) == {"Reservation": 63, "Internal": 1}
    assert isinstance(outcomes[40], Internal)
    assert drift(database) == []


async def test_a_full_event_refuses_without_its_lock_and_without_writing(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Nobody queues for what is not there, and a refusal costs no transaction id."""
    await inventory.apply(concert(capacity=1))
    await reservations.reserve([Request(1, "ada")])
    count = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
    async with await psycopg.AsyncConnection.connect(database.owner_dsn) as other:
        await other.execute("SELECT FROM bookings.inventory WHERE event_id = 1 FOR UPDATE")
        before = await (await other.execute(count)).fetchone()
        outcomes = await reservations.reserve([Request(1, "bob"), Request(1, "ada")])
        after = await (await other.execute(count)).fetchone()
    assert list(map(type, outcomes)) == [SoldOut, AlreadyBooked]
    assert [outcome.metadata["inventory_revision"] for outcome in outcomes] == ["2", "2"]  # type: ignore[union-attr]
    assert before == after


async def test_references_are_random_uuids(
    database: Database, inventory: Inventory, reservations: Reservations
) -> None:
    """Of version 4, and none like another."""
    await inventory.apply(concert(capacity=100))
    await reservations.reserve([Request(1, f"user-{number}") for number in range(100)])
    with psycopg.connect(database.owner_dsn) as connection:
        made = connection.execute("SELECT reference FROM bookings.bookings").fetchall()
    references = {reference for (reference,) in made}
    assert len(references) == 100
    assert {(each.version, each.variant) for each in references} == {(4, uuid.RFC_4122)}


async def test_a_party_gets_all_its_seats_or_none(
    inventory: Inventory, reservations: Reservations, database: Database
) -> None:
    """One that is too large is refused, and a smaller one behind it may still fit."""
    await inventory.apply(concert(capacity=5, price_amount_minor=1250, price_currency="EUR"))
    outcomes = await reservations.reserve(
        [Request(1, f"acct_{i}", seats, way=CREATE) for i, seats in enumerate((3, 3, 2, 1))]
    )
    assert [getattr(one, "reason", "RESERVED") for one in outcomes] == [
        "RESERVED",
        "SOLD_OUT",
        "RESERVED",
        "SOLD_OUT",
    ]
    made = [one.booking for one in outcomes if isinstance(one, Reservation) and one.booking]
    assert [(one.seat_count, one.price_amount_minor, one.status) for one in made] == [
        (3, 3750, "CONFIRMED"),
        (2, 2500, "CONFIRMED"),
    ]
    assert (await inventory.count_seats([1]))[1].booked == 5
    assert drift(database) == []


RULES = {
    None: ["RESERVED"] * 4,
    False: ["RESERVED"] * 4,
    True: ["RESERVED"] + ["ALREADY_BOOKED"] * 3,
}


@pytest.mark.parametrize("rule", RULES)
async def test_the_event_decides_how_many_bookings_a_user_has(
    inventory: Inventory, reservations: Reservations, rule: bool | None
) -> None:
    """Set, it holds for every way of booking; unset, parties come as often as they like."""
    await inventory.apply(concert(one_booking_per_user=rule))
    party = Request(1, "acct_ada", 2, way=CREATE)
    outcomes = await reservations.reserve([party, party])
    outcomes += await reservations.reserve([party])
    outcomes += await reservations.reserve([Request(1, "acct_ada")])
    assert [getattr(one, "reason", "RESERVED") for one in outcomes] == RULES[rule]


async def test_keys_of_two_ways_of_booking_are_two(
    inventory: Inventory, reservations: Reservations
) -> None:
    """A key belongs to its operation; the same party asked for again is the same booking."""
    await inventory.apply(concert())
    party = Request(1, "acct_ada", 2, "acct_ada", "k", CREATE)
    for asked in (replace(party, seat_count=1, way=RESERVE), party):
        [first] = await reservations.reserve([asked])
        [again] = await reservations.reserve([asked])
        assert isinstance(first, Reservation)
        assert again == replace(first, replayed=True)
    [other] = await reservations.reserve([replace(party, seat_count=3)])
    assert isinstance(other, IdempotencyKeyReused)
