from dataclasses import dataclass

import pytest

from services.bookings import leases as leases_module
from services.bookings.leases import Leases
from services.kit.database.postgres import Pool

EVENTS = (1, 2, 3)
LEASE = b"""
    SELECT event_id, booking_id
    FROM notices
    WHERE event_id = %(event_id)s
    ORDER BY booking_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
"""
FIND = b"SELECT event_id FROM notices ORDER BY due_at LIMIT %(limit)s"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is due."""

    event_id: int
    booking_id: int


LEASES = Leases(Row, LEASE, FIND)


@pytest.fixture
async def due(pool: Pool) -> None:
    """Makes two rows due in each of three events."""
    async with pool.connection() as connection:
        for event_id in EVENTS:
            for booking_id in (1, 2):
                await connection.execute(
                    "INSERT INTO notices (event_id, booking_id) VALUES (%s, %s)",
                    [event_id, booking_id],
                )


@pytest.mark.usefixtures("due")
async def test_rows_of_several_events_are_leased_together(pool: Pool) -> None:
    """Letters about many events would be sent one in each second."""
    leased = await LEASES.take(pool, limit=5)
    assert [(row.event_id, row.booking_id) for row in leased] == [
        (1, 1), (1, 2), (2, 1), (2, 2), (3, 1),
    ]  # fmt: skip


@pytest.mark.usefixtures("due")
@pytest.mark.parametrize(("found", "leased"), [(20, [2]), (1, [])])
async def test_rows_that_another_worker_takes_hide_no_others(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, found: int, leased: list[int]
) -> None:
    """A replica would pause although rows are due, as it does here when it finds one event only."""
    monkeypatch.setattr(leases_module, "FOUND_AT_LEAST", found)
    async with pool.connection() as other, other.transaction():
        await other.execute(LEASE, {"event_id": 1, "limit": 2})
        assert [row.event_id for row in await LEASES.take(pool)] == leased
