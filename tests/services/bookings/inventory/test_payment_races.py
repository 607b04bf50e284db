"""Payments that are settled at several replicas while their bookings end otherwise, and crashes."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

import pytest

from services.bookings.inventory import Ask, Inventory, payment_rows, store, transaction
from services.bookings.inventory.commands import Cancel, Command, Outcome, Sweep
from services.bookings.inventory.payment_commands import Paid
from services.bookings.inventory.seat_commands import Release
from services.kit.database.postgres import Pool
from services.kit.database.round_trip import prepared
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.bookings.conftest import (
    clock_forward,
    drift,
    mend_the_lock,
    take_out_the_lock,
)
from tests.services.bookings.inventory.payments import (
    PRICE,
    declined,
    give_back,
    number_of,
    paid,
    start,
)
from tests.services.bookings.inventory.screening import (
    as_owner,
    ask,
    given_twice,
    hold,
    plans_of,
    room,
    screening,
)

REPLICAS = 4
HALL = room(rows=5, seats=8)
UNBALANCED = """
    SELECT payments.id
    FROM payments
    JOIN bookings ON bookings.event_id = payments.event_id
        AND bookings.id = payments.booking_id
    LEFT JOIN tickets ON tickets.event_id = payments.event_id
        AND tickets.booking_id = payments.booking_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(amount_minor), 0) AS amount_minor
        FROM refunds
        WHERE refunds.event_id = payments.event_id
            AND refunds.payment_id = payments.id
    ) AS given
    WHERE received_minor NOT IN (0, payments.amount_minor)
        OR given.amount_minor <> refunding_minor
        OR (
            received_minor > 0
            AND (received_minor > refunding_minor)
            <> (bookings.status = 'CONFIRMED' AND valid_at IS NOT NULL)
        )
"""
SECOND_LINE = (
    "ALTER TABLE inventory DROP CONSTRAINT inventory_held_not_negative",
    "ALTER TABLE seat_blocks DROP CONSTRAINT seat_blocks_agree",
    "ALTER TABLE payments DROP CONSTRAINT payments_received_once",
    "ALTER TABLE payments DROP CONSTRAINT payments_never_refunded_twice",
    "ALTER TABLE payments DROP CONSTRAINT payments_status_agrees",
    "DROP INDEX payments_one_under_way",
    "DROP INDEX payments_one_buys",
)


@pytest.fixture
async def replicas(pool: Pool) -> list[Inventory]:
    """Returns inventories that share nothing but the database, with a priced screening."""
    return await open_replicas(pool)


async def open_replicas(pool: Pool) -> list[Inventory]:
    """Makes inventories with a priced screening."""
    made = [Inventory(pool, plans=plans_of(HALL)) for _ in range(REPLICAS)]
    await made[0].apply(screening(HALL, **PRICE))
    return made


async def rush(replicas: Sequence[Inventory], commands: Sequence[Command]) -> list[Outcome]:
    """Sends each command as a call of its own, all at once, spread over the replicas."""
    asked = (replicas[turn % len(replicas)].decide([Ask(c)]) for turn, c in enumerate(commands))
    return [outcome for [outcome] in await asyncio.gather(*asked)]


async def started(inventory: Inventory, seat_id: int, *, is_declined: bool) -> int:
    """Holds a seat and starts to pay it; returns the number of the booking."""
    [held] = await ask(inventory, hold(f"user-{seat_id}", seat_id))
    booking = number_of(held)
    await ask(inventory, start(booking, seat_id))
    if is_declined:
        await ask(inventory, declined(booking, seat_id))
    return booking


@pytest.mark.parametrize("is_declined", [True, False])
async def test_late_payments_race_with_all_that_ends_a_booking(
    replicas: list[Inventory], database: Database, is_declined: bool
) -> None:
    """A seat would be sold twice, or somebody would pay for nothing or get both.

    A declined payment lets its hold end, and succeeds after all while others take the seat. One
    that is under way keeps its hold, which its user gives up meanwhile.
    """
    random = Random(5)
    seats = range(1, HALL.seat_count + 1)
    bookings = {
        seat_id: await started(replicas[0], seat_id, is_declined=is_declined) for seat_id in seats
    }
    clock_forward(database, seconds=2_000)
    for seat_id, booking in bookings.items():
        commands: list[Command] = [
            paid(booking, seat_id),
            paid(booking, seat_id, event=f"evt_{seat_id}"),
            declined(booking, seat_id),
            hold(f"late-{seat_id}", seat_id),
            random.choice((Cancel, Release))(1, booking),
            Sweep(1),
        ]
        random.shuffle(commands)
        await rush(replicas, commands)
    assert given_twice(database) == []
    assert as_owner(database, UNBALANCED) == []
    assert drift(database) == []
    statuses = as_owner(database, "SELECT DISTINCT status FROM payments")
    assert ("CREATED",) not in statuses
    assert len(statuses) > 1, "the race had one result only"


async def test_one_of_many_payments_at_once_is_under_way(
    replicas: list[Inventory], database: Database
) -> None:
    """Impatient users would be charged once for each click."""
    [held] = await ask(replicas[0], hold("ada", 1))
    booking = number_of(held)
    outcomes = await rush(replicas, [start(booking, number) for number in range(1, 17)])
    refused = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert refused == ["REQUEST_IN_PROGRESS"] * 15
    assert as_owner(database, "SELECT count(*) FROM payments") == [(1,)]


async def test_refunds_at_once_never_exceed_what_was_paid(
    replicas: list[Inventory], database: Database
) -> None:
    """Two organizers' clicks would give back more than was paid."""
    booking = await started(replicas[0], 1, is_declined=False)
    await ask(replicas[0], paid(booking))
    refunds = [give_back(booking, refund=number, minor=400) for number in range(1, 9)]
    await rush(replicas, [*refunds, Cancel(1, booking)])
    assert as_owner(database, "SELECT sum(amount_minor) FROM refunds") == [(900,)]
    assert as_owner(database, UNBALANCED) == []
    assert drift(database) == []


async def _race_without_the_lock(database: Database, pool: Pool) -> list[Outcome]:
    take_out_the_lock(database)
    try:
        replicas = await open_replicas(pool)
        [held] = await ask(replicas[0], hold("ada", 1))
        booking = number_of(held)
        await ask(replicas[0], start(booking))
        return await rush(replicas, [paid(booking) for _ in range(4 * REPLICAS)])
    finally:
        mend_the_lock()


async def test_without_the_lock_a_payment_is_received_once_all_the_same(
    database: Database, pool: Pool
) -> None:
    """Without the lock, every replica would count the same payment."""
    await _race_without_the_lock(database, pool)
    assert as_owner(database, "SELECT received_minor FROM payments") == [(900,)]


async def test_without_lock_and_constraints_a_payment_is_counted_twice(
    database: Database, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the tests above would pass without locks and constraints."""
    text = payment_rows.SQL["lock_payments"].replace(b"FOR NO KEY UPDATE", b"")
    unlocked = prepared("unlocked_payments", text)
    monkeypatch.setitem(store._STATEMENTS, "lock_payments", unlocked)
    for statement in SECOND_LINE:
        as_owner(database, statement)
    await _race_without_the_lock(database, pool)
    assert as_owner(database, UNBALANCED) != []


class Crash(Exception):  # noqa: N818 - it stands for a process that is gone
    """The process died."""


@pytest.mark.parametrize("place", ["locked", "decided", "committed"])
@pytest.mark.parametrize("settlement", [paid, declined])
async def test_a_crash_leaves_a_payment_with_its_effect_or_neither(
    pool: Pool,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    settlement: Callable[[int], Command],
) -> None:
    """A payment would be settled without a ticket, or a ticket be valid without its payment."""
    [inventory, other, *_] = await open_replicas(pool)
    booking = await started(inventory, 1, is_declined=False)
    before = as_owner(database, "SELECT status FROM payments")

    def crash(name: str) -> None:
        if name == f"bookings.batch.{place}":
            raise Crash

    monkeypatch.setattr(transaction, "failpoint", crash)
    command = settlement(booking)
    with pytest.raises(Crash):
        await ask(inventory, command)
    monkeypatch.undo()
    if place != "committed":
        assert as_owner(database, "SELECT status FROM payments") == before
        assert as_owner(database, "SELECT count(*) FROM tickets") == [(0,)]
    assert as_owner(database, UNBALANCED) == []
    [settled] = await ask(other, command)
    assert isinstance(settled, Paid)
    assert settled.changed is (place != "committed")
    assert settled.payment.status == ("SUCCEEDED" if settlement is paid else "FAILED")
    assert as_owner(database, UNBALANCED) == []
    assert drift(database) == []
