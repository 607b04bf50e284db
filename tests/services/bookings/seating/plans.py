"""Random seat plans."""

from collections.abc import Mapping
from random import Random

from services.bookings.seating.plan import Area, Plan, Row

TYPES = ("REGULAR", "VIP", "DELUXE")


class LoadedPlans:
    """Plans that are all in memory."""

    def __init__(self, plans: Mapping[int, Plan]) -> None:
        self._plans = plans

    def loaded(self, plan_id: int) -> Plan | None:
        """Returns a plan."""
        return self._plans.get(plan_id)

    async def load(self, plan_id: int) -> None:
        """Fails: all plans are loaded."""
        raise LookupError(plan_id)


def random_plan(random: Random) -> Plan:
    """Makes a plan of 1 to about 50 seats."""
    rows = [
        _row(random, index) for index in range(random.randint(0 if random.random() < 0.1 else 1, 6))
    ]
    areas = [
        Area(f"Floor {index}", random.randint(1, 6), random.choice(TYPES))
        for index in range(random.choice((0, 0, 1, 2)))
    ]
    if not rows and not areas:
        areas = [Area("Floor 0", 3, "REGULAR")]
    return Plan(1, rows, areas, (random.randint(0, 900), random.randint(0, 700)))


def random_free(random: Random, plan: Plan) -> set[int]:
    """Chooses which seats of a plan are free."""
    share = random.choice((0.2, 0.5, 0.8, 1))
    return {seat_id for seat_id in range(1, plan.seat_count + 1) if random.random() < share}


def _row(random: Random, index: int) -> Row:
    count = random.randint(1, 9)
    accessible = _some(random, count, 0.1)
    return Row(
        random.choice(("Stalls", "Balcony")),
        chr(65 + index),
        range(1, count + 1),
        random.choices(TYPES, (6, 2, 1), k=count),
        [100 * seat for seat in range(count)],
        [120 * index] * count,
        accessible,
        _some(random, count, 0.1) - accessible,
        _some(random, count, 0.15) - {count - 1},
    )


def _some(random: Random, count: int, share: float) -> frozenset[int]:
    return frozenset(index for index in range(count) if random.random() < share)
