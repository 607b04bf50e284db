from dataclasses import replace

import psycopg
import pytest

from services.bookings.inventory import Inventory, needs
from services.bookings.inventory.commands import Cancel, Command, Outcome
from services.bookings.inventory.payment_commands import Paid
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.bookings.conftest import clock_forward, drift
from tests.services.bookings.inventory.payments import (
    PRICE,
    declined,
    give_back,
    given_back,
    number_of,
    paid,
    paid_of,
    payment_of,
    refund_id,
    start,
)
from tests.services.bookings.inventory.screening import (
    as_owner,
    ask,
    hold,
    plans_of,
    room,
    screening,
)

HALL = room(rows=2, seats=5)
STATE = screening(HALL, **PRICE)
BOUGHT = ("SUCCEEDED", "CONFIRMED", True, True)


@pytest.fixture
async def cinema(pool: Pool) -> Inventory:
    """Returns the inventory with a screening of ten seats, each of which costs 9 euros."""
    inventory = Inventory(pool, plans=plans_of(HALL))
    await inventory.apply(STATE)
    return inventory


async def held(inventory: Inventory, user: str, *seats: int) -> int:
    """Holds seats; returns the number of the booking."""
    [outcome] = await ask(inventory, hold(user, *seats))
    return number_of(outcome)


async def one(inventory: Inventory, *commands: Command) -> Outcome:
    """Decides commands, each in a transaction of its own; returns the last outcome."""
    outcome: Outcome
    for command in commands:
        [outcome] = await ask(inventory, command)
    return outcome


async def test_a_payment_is_stored_with_what_it_buys(cinema: Inventory, database: Database) -> None:
    """A column that is not stored or read would be lost between two transactions."""
    booking = await held(cinema, "ada", 1, 2)
    started = await one(cinema, start(booking))
    assert isinstance(started, Paid)
    bought = await one(cinema, paid(booking, 1, 1_800, event="evt_1"))
    assert paid_of(bought) == BOUGHT
    again = await one(cinema, paid(booking, 1, 1_800, event="evt_1"))
    assert isinstance(bought, Paid)
    assert again == replace(bought, changed=False)
    assert started.payment == replace(
        bought.payment,
        status="CREATED",
        received_minor=0,
        received_currency=None,
        provider_reference=None,
        settled_at=None,
    )
    assert as_owner(database, "SELECT provider, id FROM provider_events") == [("sandbox", "evt_1")]
    assert drift(database) == []


async def test_a_hold_is_kept_while_its_payment_is_under_way(
    cinema: Inventory, database: Database
) -> None:
    """The sweeper would free seats that are being paid, or never free them."""
    booking = await held(cinema, "ada", 1)
    await one(cinema, start(booking))
    clock_forward(database, seconds=2_000)
    await cinema.sweep()
    ended = "SELECT status FROM bookings"
    assert as_owner(database, ended) == [("HELD",)]
    assert (await cinema.count_seats([1]))[1].booked == 1
    failed = await one(cinema, declined(booking))
    assert paid_of(failed) == ("FAILED", "EXPIRED", False, True)
    assert (await cinema.count_seats([1]))[1].booked == 0
    assert as_owner(database, ended) == [("EXPIRED",)]
    bought = await one(cinema, paid(booking))
    assert paid_of(bought) == BOUGHT
    assert drift(database) == []


async def test_seats_that_end_and_are_regained_in_one_batch_are_sold(
    cinema: Inventory, database: Database
) -> None:
    """The map would show the seats as held, because their claims have not changed."""
    booking = await held(cinema, "ada", 1)
    await one(cinema, start(booking), declined(booking))
    clock_forward(database, seconds=2_000)
    bought = await one(cinema, paid(booking))
    assert paid_of(bought) == BOUGHT
    kinds = "SELECT kind FROM ledger ORDER BY rev DESC LIMIT 2"
    assert as_owner(database, kinds) == [("REGAINED",), ("EXPIRED",)]
    assert drift(database) == []


async def test_a_late_payment_is_not_regained_beside_another_booking(
    pool: Pool, database: Database
) -> None:
    """The unique index would fail the transaction, and the money be neither kept nor given back."""
    cinema = Inventory(pool, plans=plans_of(HALL))
    await cinema.apply(replace(STATE, one_booking_per_user=True))
    booking = await held(cinema, "ada", 1)
    await one(cinema, start(booking), declined(booking))
    clock_forward(database, seconds=2_000)
    await held(cinema, "ada", 2)
    late = await one(cinema, paid(booking))
    assert paid_of(late) == ("REFUND_DUE", "EXPIRED", False, True)


async def test_refunds_are_stored_in_the_sums_of_their_payment(
    cinema: Inventory, database: Database
) -> None:
    """A payment would be paid back twice because its sums were not stored."""
    booking = await held(cinema, "ada", 1)
    await one(cinema, start(booking), paid(booking), give_back(booking, minor=400))
    back = await one(cinema, given_back(booking, refund_id(1)))
    assert (payment_of(back).status, payment_of(back).refunded_minor) == ("SUCCEEDED", 400)
    await one(cinema, Cancel(1, booking))
    assert as_owner(
        database, "SELECT status, received_minor, refunding_minor, refunded_minor FROM payments"
    ) == [("REFUND_DUE", 900, 900, 400)]
    assert as_owner(
        database, "SELECT amount_minor, reason, status FROM refunds ORDER BY created_at"
    ) == [(400, "REQUESTED", "REFUNDED"), (500, "BOOKING_CANCELLED", "DUE")]
    assert drift(database) == []


async def test_a_closed_event_is_refunded_in_chunks_that_go_on_after_a_crash(
    cinema: Inventory, database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments of a cancelled event would be kept, or the worker would never end."""
    monkeypatch.setattr(needs, "MAX_REFUNDED", 2)
    for number in (1, 2, 3):
        booking = await held(cinema, f"user-{number}", number)
        await one(cinema, start(booking, number), paid(booking, number))
    assert not await cinema.refund_chunk()
    await cinema.apply(replace(STATE, rev=2, status="CANCELLED"))
    assert await cinema.refund_chunk()
    left = "SELECT count(*) FROM payments WHERE received_minor > refunding_minor"
    assert as_owner(database, left) == [(1,)]
    other = Inventory(pool)
    while await other.refund_chunk():
        pass
    assert as_owner(database, left) == [(0,)]
    assert as_owner(database, "SELECT count(*), sum(amount_minor) FROM refunds") == [(3, 2_700)]
    while await other.close_chunk():
        pass
    assert drift(database) == []


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("SET refunding_minor = 901", "payments_never_refunded_twice"),
        ("SET refunded_minor = 1", "payments_never_refunded_twice"),
        ("SET received_minor = 1800", "payments_received_once"),
        ("SET refunding_minor = 1", "payments_status_agrees"),
        ("SET status = 'CREATED', settled_at = NULL", "payments_status_agrees"),
    ],
)
async def test_rows_that_pay_back_too_much_are_refused(
    cinema: Inventory, database: Database, change: str, constraint: str
) -> None:
    """A defect of the core would move money that is not there."""
    booking = await held(cinema, "ada", 1)
    await one(cinema, start(booking), paid(booking))
    with pytest.raises(psycopg.errors.CheckViolation) as failed:
        as_owner(database, f"UPDATE payments {change}")
    assert failed.value.diag.constraint_name == constraint
