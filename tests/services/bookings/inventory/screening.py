"""Screenings for tests: a room of equal rows, and commands about its seats."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from services.bookings.inventory import Ask, EventState, Inventory
from services.bookings.inventory.commands import Command, Outcome
from services.bookings.inventory.seat_commands import Hold, Seated
from services.bookings.seating.plan import Plan, Row
from tests.conftest import Database
from tests.services.bookings.asking import GUEST
from tests.services.bookings.conftest import concert
from tests.services.bookings.seating.plans import LoadedPlans


def room(rows: int = 2, seats: int = 5, plan_id: int = 1) -> Plan:
    """Makes a plan of equal rows; the first row has seats 1 to `seats`."""
    made = [
        Row(
            "Stalls",
            chr(65 + row),
            range(1, seats + 1),
            ["REGULAR"] * seats,
            range(0, 100 * seats, 100),
            [120 * row] * seats,
        )
        for row in range(rows)
    ]
    return Plan(plan_id, made, focal_point=(50 * (seats - 1), 0))


def plans_of(*plans: Plan) -> LoadedPlans:
    """Returns plans that are in memory."""
    found: Mapping[int, Plan] = {plan.id: plan for plan in plans}
    return LoadedPlans(found)


def screening(plan: Plan, event_id: int = 1, **changes: Any) -> EventState:
    """Makes the state of a screening in a room."""
    return concert(event_id, plan.seat_count, **{"plan_id": plan.id} | changes)


def hold(user: str, *seat_ids: int, event_id: int = 1, **options: Any) -> Hold:
    """Makes a command to hold named seats."""
    return Hold(event_id, user, seat_ids, viewer=GUEST, **options)


async def ask(inventory: Inventory, *commands: Command) -> list[Outcome]:
    """Decides commands as one batch."""
    return await inventory.decide([Ask(command) for command in commands])


def held(outcome: Outcome) -> Sequence[int]:
    """Returns the seats of a hold."""
    assert isinstance(outcome, Seated), outcome
    return outcome.booking.seat_ids


def given_twice(database: Database) -> list[int]:
    """Lists the seats that two live bookings have."""
    with psycopg.connect(database.owner_dsn) as connection:
        rows = connection.execute(
            "SELECT seat_id FROM bookings.bookings, unnest(seat_ids) AS seat_id"
            " WHERE status IN ('HELD', 'CONFIRMED')"
            " GROUP BY event_id, seat_id HAVING count(*) > 1"
        ).fetchall()
    return [seat_id for (seat_id,) in rows]


def as_owner(database: Database, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement as the owner of the schema; returns the rows, if there are any."""
    with psycopg.connect(database.owner_dsn, options="-c search_path=bookings") as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
