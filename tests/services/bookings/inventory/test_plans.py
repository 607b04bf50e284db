import psycopg
import pytest

from services.bookings.inventory import Ask, EventState, store
from services.bookings.inventory.commands import Apply, Book, Withdraw
from services.bookings.inventory.transaction import Transactions
from tests.conftest import Database
from tests.pools import patient_pool

FIND = "SELECT name FROM pg_prepared_statements WHERE statement LIKE %s"


@pytest.mark.parametrize("part", ["%waiting_position%", "%offered.booking_id%", "%bool_or%"])
async def test_plans_made_on_empty_tables_look_users_up_by_index(
    database: Database, part: str
) -> None:
    """A rush after an ANALYZE of empty tables would read the whole line for each who joins it."""
    with psycopg.connect(database.owner_dsn, autocommit=True) as owner:
        owner.execute("VACUUM ANALYZE bookings.waiting_list, bookings.bookings")
    made = patient_pool(database.bookings_dsn, schema="bookings", size=1, session=store.SESSION)
    async with made as pool:
        transactions = Transactions(pool, offer_seconds=60)
        state = EventState(1, 1, "Concert", 0, "PUBLISHED")
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
