"""Suggesting free seats in place of those that cannot be had."""

from collections.abc import Sequence

from services.bookings.errors import SeatNotFound
from services.bookings.seating.alternatives import Alternatives, alternatives
from services.bookings.seating.plan import Plan
from services.bookings.seats.map_messages import explain
from services.bookings.seats.screening import Occupancy


def suggest(
    plan: Plan, occupancy: Occupancy, asked: Sequence[int], count: int, *, together: bool
) -> Alternatives:
    """Returns free seats near those that were asked for. Raises SeatNotFound."""
    if unknown := sorted(seat_id for seat_id in asked if seat_id > plan.seat_count):
        raise explain(SeatNotFound(unknown, inventory_revision=occupancy.screening.version.rev))
    return alternatives(plan, occupancy.free(plan), asked, count, together=together)
