import psycopg
import pytest

from services.bookings.inventory import Ask, EventState, store
from services.bookings.inventory.commands import Apply, Book, Booked, Withdraw
from services.bookings.inventory.payment_commands import RefundEvent
from services.bookings.inventory.seat_commands import IssueTicket, Release, Seated, Transfer
from services.bookings.inventory.transaction import Transactions
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import (
    PRICE,
    give_back,
    given_back,
    paid,
    refund_id,
    start,
)
from tests.services.bookings.inventory.rules import party
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening

TYPED = """
    SELECT name, parameter_types::text[]
    FROM pg_prepared_statements
    WHERE name ~ ('^' || %s || '_[0-9a-f]+$')
"""
FIND = "SELECT name FROM pg_prepared_statements WHERE statement LIKE %s"


@pytest.mark.parametrize(
    "part", ["%head.place%", "%offered.booking_id%", "%bool_or%", "%interval '1 hour'%"]
)
async def test_plans_made_on_empty_tables_look_users_up_by_index(
    database: Database, part: str
) -> None:
    """After ANALYZE of empty tables, each join would scan the whole waiting list."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE bookings.waiting_list, bookings.bookings")
    made = patient_pool(database.bookings_dsn, schema="bookings", size=1, session=store.SESSION)
    async with made as pool:
        transactions = Transactions(pool, offer_seconds=60)
        state = EventState(
            1, 1, "Concert", 0, "PUBLISHED", price_amount_minor=1, price_currency="EUR"
        )
        await transactions.run([Ask(Apply(state))], lock=store.WAIT)
        for user in ("ada", "bob"):
            asks = [Ask(Book(1, user)), Ask(Withdraw(1, user))]
            await transactions.run(asks, lock=store.WAIT)
        async with pool.connection() as connection:
            [(name,)] = await (await connection.execute(FIND, [part])).fetchall()
            explain = f"EXPLAIN EXECUTE {name} ('[]')".encode()
            rows = await (await connection.execute(explain)).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "Index Cond: (user_id = asked.user_id)" in plan


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("save", "ROW(event_id, id) >= ROW(moved.event_id, moved.id)"),
        ("save_seats", "(event_id = moved_1.event_id) AND (seat_id = moved_1.seat_id)"),
        ("users_holds", "(event_id = asked.event_id) AND (user_id = asked.user_id)"),
        ("seat_holders", "(event_id = asked.event_id) AND (seat_id = asked.seat_id)"),
    ],
)
async def test_plans_made_on_empty_tables_find_rows_by_their_keys(
    database: Database, name: str, condition: str
) -> None:
    """After ANALYZE of empty tables, cancellations and releases would scan whole tables."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE bookings.bookings, bookings.seat_claims")
    hall = room()
    made = patient_pool(database.bookings_dsn, schema="bookings", size=1, session=store.SESSION)
    async with made as pool:
        transactions = Transactions(pool, offer_seconds=60, plans=plans_of(hall))
        await transactions.run([Ask(Apply(screening(hall)))], lock=store.WAIT)
        [seated] = await transactions.run([Ask(hold("ada", 1, 2))], lock=store.WAIT)
        assert isinstance(seated, Seated)
        await transactions.run([Ask(Release(1, seated.booking.id))], lock=store.WAIT)
        plan = await _explain(pool, name)
    assert condition in plan


async def _explain(pool: Pool, statement: str) -> str:
    """Explains a prepared statement, with empty parameters."""
    async with pool.connection() as connection:
        [(name, types)] = await (await connection.execute(TYPED, [statement])).fetchall()
        empty = ("'[]'" if kind == "json" else "now()" for kind in types)
        explain = f"EXPLAIN EXECUTE {name} ({', '.join(empty)})".encode()
        rows = await (await connection.execute(explain)).fetchall()
    return "\n".join(line for (line,) in rows)


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("named_payments", "(booking_id = asked.booking_id)"),
        ("named_refunds", "(id = asked.refund_id)"),
        ("unrefunded_payments", "(event_id = asked.event_id)"),
        ("rival_bookings", "(id = asked.booking_id)"),
        ("move_payments", "(id = moved.id)"),
        ("save_refunds", "(id = moved.id)"),
    ],
)
async def test_plans_made_on_empty_tables_find_payments_by_their_keys(
    database: Database, name: str, condition: str
) -> None:
    """After ANALYZE of empty tables, each payment would scan all payments of its event."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE bookings.payments, bookings.refunds, bookings.bookings")
    made = patient_pool(database.bookings_dsn, schema="bookings", size=1, session=store.SESSION)
    async with made as pool:
        transactions = Transactions(pool, offer_seconds=60)
        await transactions.run([Ask(Apply(concert(1, 2, **PRICE)))], lock=store.WAIT)
        [booked] = await transactions.run([Ask(party("ada"))], lock=store.WAIT)
        assert isinstance(booked, Booked)
        booking = booked.booking.id
        commands = (
            start(booking), paid(booking), give_back(booking, minor=1),
            given_back(booking, refund_id(1)), RefundEvent(1),
        )  # fmt: skip
        for command in commands:
            await transactions.run([Ask(command)], lock=store.WAIT)
        plan = await _explain(pool, name)
    assert condition in plan
    assert "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("lock_tickets", "(booking_id = asked.booking_id)"),
        ("ticket_uses", "(booking_id = asked.booking_id)"),
        ("named_tickets", "(booking_id = asked.booking_id)"),
        ("users_tickets", "(booking_id = bookings.id)"),
        ("transfer_tickets", "(id = given.id)"),
    ],
)
async def test_plans_made_on_empty_tables_find_tickets_by_their_keys(
    database: Database, name: str, condition: str
) -> None:
    """After ANALYZE of empty tables, each transfer would scan all tickets."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE bookings.tickets, bookings.ticket_codes")
    made = patient_pool(database.bookings_dsn, schema="bookings", size=1, session=store.SESSION)
    async with made as pool:
        transactions = Transactions(pool, offer_seconds=60)
        await transactions.run([Ask(Apply(concert()))], lock=store.WAIT)
        [booked] = await transactions.run([Ask(party("ada"))], lock=store.WAIT)
        assert isinstance(booked, Booked)
        booking = booked.booking.id
        for command in (
            IssueTicket(1, booking),
            Transfer(1, booking, "ada", "bob"),
            Withdraw(1, "bob"),
        ):
            await transactions.run([Ask(command)], lock=store.WAIT)
        plan = await _explain(pool, name)
    assert condition in plan
    assert "Seq Scan" not in plan
