"""What was sold and earned with each type of seat."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from services.bookings.reports.revenue import Revenue, total
from services.bookings.seating.plan import Plan
from services.bookings.seating.prices import Prices


@dataclass(frozen=True, slots=True)
class SeatTypeSales:
    """How many seats of a type there are and are sold, and the revenue in each currency."""

    seat_type: str
    total: int
    sold: int
    revenue: Sequence[Revenue]


def type_numbers(plan: Plan) -> bytes:
    """Returns a byte for each seat of a plan: the number of its type, in order of name."""
    numbers = {name: number for number, name in enumerate(sorted(plan.of_type))}
    rows = (bytes(map(numbers.__getitem__, row.types)) for row in plan.rows)
    areas = (bytes([numbers[area.type]]) * area.places for area in plan.areas)
    return b"".join(chain(rows, areas))


def priced_by_type(
    plan: Plan, prices: Prices, sold: int, paid: Iterable[tuple[Sequence[int], Revenue]]
) -> list[SeatTypeSales]:
    """Divides revenue among types of seats.

    `sold` is a map of seats. `paid` is the revenue of bookings, with the numbers of the types of
    their seats. It is divided by the present prices: what a seat cost is not kept.
    """
    names = sorted(plan.of_type)
    cost = [(prices.of(name) or (0, ""))[0] for name in names]
    earned = total(
        (number, part)
        for numbers, revenue in paid
        for number, part in zip(
            numbers, revenue.divided([cost[number] for number in numbers]), strict=True
        )
    )
    return [
        SeatTypeSales(
            name,
            plan.of_type[name].bit_count(),
            (plan.of_type[name] & sold).bit_count(),
            [revenue for (of, _), revenue in earned.items() if of == number],
        )
        for number, name in enumerate(names)
    ]
