"""Chooses the best free seats: adjacent, near the focal point, and without orphans.

The cost of a group is the sum of the costs of its seats; of equal groups the one with the lowest
ids is chosen. The starts of all groups of a size are sorted by cost once for each plan and cut into
pieces. Each piece has a bit map: ANDed with the free starts it shows whether the piece has one.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import isqrt
from operator import or_
from weakref import WeakKeyDictionary

from services.bookings.seating.plan import Plan, map_of, seats_of

PIECES_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """The seats wanted: `count` seats, of a type and in a section unless these are None.

    `adjacent` seats are next to each other, or none are chosen. `accessible` is how many of them
    are for wheelchair users.
    """

    count: int
    type: str | None = None
    section: str | None = None
    adjacent: bool = True
    accessible: int = 0


def choose(plan: Plan, free: int, wish: Wish) -> Sequence[int] | None:
    """Returns the ids of the best seats in a map of free ones, sorted; None if there are too few.

    Raises KeyError for a section that the plan does not have.
    """
    for allowed in _allowed(plan, free, wish):
        if allowed.bit_count() >= wish.count and (found := _choose(plan, free, allowed, wish)):
            return sorted(found)
    return None


def orphans(plan: Plan, free: int, count: int) -> int:
    """Returns the starts of groups that leave a single free seat beside them.

    The seat's other neighbour in its run is taken or does not exist. The function does not check
    whether the seats of the group are free.
    """
    free_after = plan.joined & (free >> 1)
    free_before = (plan.joined & free) << 1
    alone_after = free_after & ~(free_after >> 1)
    alone_before = free_before & ~(free_before << 1)
    return alone_before | (alone_after >> (count - 1))


def groups(plan: Plan, allowed: int, count: int) -> int:
    """Returns the starts of groups of adjacent seats that lie in a map."""
    starts = allowed & starts_of(plan, count).fitting
    for distance in range(1, count):
        starts &= allowed >> distance
    return starts


class Starts:
    """The starts of all groups of a size that lie in one run, cheapest first."""

    def __init__(self, plan: Plan, count: int) -> None:
        firsts = [
            seat_id for first, last in plan.runs for seat_id in range(first, last - count + 2)
        ]
        self.fitting = map_of(firsts)
        firsts.sort(key=lambda first: plan.cost(first, count))
        size = max(2 * isqrt(plan.seat_count), 1)
        # An array takes 4 bytes a start, a list 36.
        pieces = [array("i", firsts[index : index + size]) for index in range(0, len(firsts), size)]
        maps = [map_of(piece) for piece in pieces]
        self._pieces = [
            (
                reduce(or_, maps[index : index + PIECES_TOGETHER]),
                list(zip(maps, pieces, strict=True))[index : index + PIECES_TOGETHER],
            )
            for index in range(0, len(pieces), PIECES_TOGETHER)
        ]

    def cheapest(self, starts: int) -> int | None:
        """Returns the cheapest of the starts in a map; None for an empty map."""
        for together, pieces in self._pieces:
            if starts & together:
                return next(
                    first
                    for seats, firsts in pieces
                    if (found := starts & seats)
                    for first in firsts
                    if found >> (first - 1) & 1
                )
        return None


_STARTS: WeakKeyDictionary[Plan, dict[int, Starts]] = WeakKeyDictionary()


def starts_of(plan: Plan, count: int) -> Starts:
    """Returns the starts of groups of a size, cached with the plan."""
    known = _STARTS.setdefault(plan, {})
    if count not in known:
        known[count] = Starts(plan, count)
    return known[count]


def _allowed(plan: Plan, free: int, wish: Wish) -> Iterator[int]:
    """Lists the maps to choose from, in this order, until one has enough seats.

    Other users get seats for wheelchair users only if no others are left, and places of an area
    only if no seats are left or its section is named. Seats and places together come last.
    """
    wanted = free
    if wish.type is not None:
        wanted &= plan.of_type.get(wish.type, 0)
    if wish.section is not None:
        wanted &= plan.of_section[wish.section]
    kept_back = plan.accessible | plan.companion
    if wish.section is None:
        if not wish.accessible:
            yield wanted & ~kept_back & ~plan.places
        yield wanted & ~plan.places
        if not wish.accessible:
            yield wanted & plan.places
        yield wanted
        return
    if not wish.accessible:
        yield wanted & ~kept_back
    yield wanted


def _choose(plan: Plan, free: int, allowed: int, wish: Wish) -> list[int] | None:
    if wish.accessible:
        return _accessible(plan, free, allowed, wish)
    if found := _adjacent(plan, free, allowed, wish.count):
        return found
    return None if wish.adjacent else _split(plan, free, allowed, wish.count)


def _adjacent(plan: Plan, free: int, allowed: int, count: int) -> list[int] | None:
    starts = groups(plan, allowed, count)
    if not starts:
        return None
    first = starts_of(plan, count).cheapest(starts & ~orphans(plan, free, count) or starts)
    return None if first is None else list(range(first, first + count))


def _split(plan: Plan, free: int, allowed: int, count: int) -> list[int]:
    """Chooses the largest group again and again, and avoids a part of one seat if possible."""
    chosen: list[int] = []
    while rest := count - len(chosen):
        size = next(size for size in range(rest, 0, -1) if groups(plan, allowed, size))
        if rest - size == 1 and size > 2:
            size -= 1
        found = _adjacent(plan, free, allowed, size) or []
        chosen += found
        taken = map_of(found)
        free, allowed = free & ~taken, allowed & ~taken
    return chosen


def _accessible(plan: Plan, free: int, allowed: int, wish: Wish) -> list[int] | None:
    """Chooses a group with seats for wheelchair users, by companion seats and then by cost."""
    usable = allowed & plan.accessible
    if usable.bit_count() < wish.accessible:
        return None
    fitting = _containing(usable, wish.count)[wish.accessible]
    if starts := groups(plan, allowed, wish.count) & fitting:
        with_companions = reversed(_containing(plan.companion, wish.count))
        best = next(found for each in with_companions if (found := starts & each))
        first = starts_of(plan, wish.count).cheapest(best)
        return None if first is None else list(range(first, first + wish.count))
    if wish.adjacent:
        return None
    seats = sorted(seats_of(usable), key=lambda seat_id: plan.cost(seat_id, 1))[: wish.accessible]
    rest = wish.count - len(seats)
    allowed &= ~map_of(seats)
    return [*seats, *_split(plan, free & ~map_of(seats), allowed, rest)] if rest else seats


def _containing(seats: int, count: int) -> list[int]:
    """Returns the starts of groups with at least 0, 1, ... `count` of the seats, as maps."""
    starts = [-1] + [0] * count
    for distance in range(count):
        here = seats >> distance
        for number in range(distance + 1, 0, -1):
            starts[number] |= starts[number - 1] & here
    return starts
