"""Chooses seats with lists and loops, as the model for seating."""

from collections.abc import Iterator, Sequence

from services.bookings.seating.choosing import Wish
from services.bookings.seating.plan import Plan


def run_of(plan: Plan, seat_id: int) -> list[int]:
    """Lists the seats in the run of a seat."""
    return next(
        list(range(first, last + 1)) for first, last in plan.runs if first <= seat_id <= last
    )


def is_place(plan: Plan, seat_id: int) -> bool:
    """Returns whether a seat is a place of an area."""
    return plan.seat(seat_id).number is None


def groups(plan: Plan, allowed: set[int], count: int) -> list[list[int]]:
    """Lists all groups of adjacent seats in a map."""
    return [
        list(range(first, first + count))
        for first, last in plan.runs
        for first in range(first, last - count + 2)
        if allowed.issuperset(range(first, first + count))
    ]


def leaves_orphan(plan: Plan, free: set[int], group: Sequence[int]) -> bool:
    """Returns whether a single free seat is left beside a group."""
    run = run_of(plan, group[0])
    if is_place(plan, group[0]):
        return False
    rest = [seat_id for seat_id in run if seat_id in free and seat_id not in group]
    return any(
        beside in rest and beside - 1 not in rest and beside + 1 not in rest
        for beside in (group[0] - 1, group[-1] + 1)
    )


def stranded(plan: Plan, free: set[int], asked: Sequence[int]) -> list[int]:
    """Lists the single seats that a choice leaves, if its run has a better choice."""
    run, count = run_of(plan, asked[0]), len(asked)
    is_group = asked[-1] in run and asked[-1] - asked[0] == count - 1
    if not is_group or not leaves_orphan(plan, free, asked):
        return []
    kind = plan.seat(asked[0]).type
    same = {seat_id for seat_id in free.intersection(run) if plan.seat(seat_id).type == kind}
    if all(leaves_orphan(plan, free, group) for group in groups(plan, same, count)):
        return []
    rest = [seat_id for seat_id in run if seat_id in free and seat_id not in asked]
    return [
        beside
        for beside in (asked[0] - 1, asked[-1] + 1)
        if beside in rest and beside - 1 not in rest and beside + 1 not in rest
    ]


def cost(plan: Plan, group: Sequence[int]) -> int:
    """Sums the squared distances of seats to the focal point."""
    x, y = plan.focal_point
    seats = [plan.seat(seat_id) for seat_id in group]
    return sum(
        (seat.x - x) ** 2 + (seat.y - y) ** 2
        for seat in seats
        if seat.x is not None and seat.y is not None
    )


def choose(plan: Plan, free: set[int], wish: Wish) -> list[int] | None:
    """Chooses the best seats."""
    for allowed in _stages(plan, free, wish):
        if len(allowed) >= wish.count and (found := _choose(plan, free, allowed, wish)):
            return sorted(found)
    return None


def _stages(plan: Plan, free: set[int], wish: Wish) -> Iterator[set[int]]:
    seats = {seat_id: plan.seat(seat_id) for seat_id in free}
    wanted = {
        seat_id
        for seat_id, seat in seats.items()
        if wish.type in {None, seat.type} and wish.section in {None, seat.section}
    }
    plain = {
        seat_id for seat_id in wanted if not (seats[seat_id].accessible or seats[seat_id].companion)
    }
    places = {seat_id for seat_id in wanted if is_place(plan, seat_id)}
    if wish.section is not None:
        places_too: set[int] = set()
    else:
        places_too = places
    if not wish.accessible:
        yield plain - places_too
    yield wanted - places_too
    if wish.section is None and not wish.accessible:
        yield places
    yield wanted


def _choose(plan: Plan, free: set[int], allowed: set[int], wish: Wish) -> list[int] | None:
    if wish.accessible:
        return _accessible(plan, free, allowed, wish)
    if best := _adjacent(plan, free, allowed, wish.count):
        return best
    return None if wish.adjacent else _split(plan, free, allowed, wish.count)


def _adjacent(plan: Plan, free: set[int], allowed: set[int], count: int) -> list[int] | None:
    return min(
        groups(plan, allowed, count),
        key=lambda group: (leaves_orphan(plan, free, group), cost(plan, group), group[0]),
        default=None,
    )


def _split(plan: Plan, free: set[int], allowed: set[int], count: int) -> list[int]:
    found: list[int] = []
    while rest := count - len(found):
        size = max(size for size in range(1, rest + 1) if groups(plan, allowed, size))
        if rest - size == 1 and size >= 3:
            size -= 1
        best = _adjacent(plan, free, allowed, size)
        assert best is not None
        found += best
        free, allowed = free - set(best), allowed - set(best)
    return found


def _accessible(plan: Plan, free: set[int], allowed: set[int], wish: Wish) -> list[int] | None:
    usable = [seat_id for seat_id in sorted(allowed) if plan.seat(seat_id).accessible]
    if len(usable) < wish.accessible:
        return None
    fitting = [
        group
        for group in groups(plan, allowed, wish.count)
        if sum(plan.seat(seat_id).accessible for seat_id in group) >= wish.accessible
    ]
    if fitting:
        return min(
            fitting,
            key=lambda group: (
                -sum(plan.seat(seat_id).companion for seat_id in group),
                cost(plan, group),
                group[0],
            ),
        )
    if wish.adjacent:
        return None
    usable.sort(key=lambda seat_id: cost(plan, [seat_id]))
    seats = usable[: wish.accessible]
    rest = wish.count - len(seats)
    return seats + (_split(plan, free - set(seats), allowed - set(seats), rest) if rest else [])
