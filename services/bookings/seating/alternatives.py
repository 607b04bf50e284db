"""Alternatives to seats that cannot be had, and selections that leave an orphan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from weakref import WeakKeyDictionary

from services.bookings.seating.choosing import Wish, choose, groups, orphans
from services.bookings.seating.plan import Plan, map_of, seats_of, span, union

RUNS = 64
MOST = 10


@dataclass(frozen=True, slots=True)
class Alternatives:
    """The best group of free seats, and further groups to offer."""

    seats: Sequence[int] = ()
    groups: Sequence[Sequence[int]] = ()


@dataclass(frozen=True, slots=True)
class Orphaned:
    """The single seats that a selection would leave, and a better selection."""

    orphans: Sequence[int]
    better: Sequence[int]


def alternatives(
    plan: Plan, free: int, asked: Sequence[int], count: int, *, together: bool = True
) -> Alternatives:
    """Returns free seats near those asked for, and never one of those.

    Groups of adjacent seats come from the nearest runs: those of the same row first, then those
    that leave no orphan, then by distance; at most MOST. If there are none, the best seats of the
    whole plan are one group. Without `together` they are the nearest single seats.
    """
    usable = free & ~map_of(asked)
    size = count if together else 1
    found = _nearby(plan, free, usable, asked, size)
    if together and count > 1:
        chosen = [list(range(first, first + size)) for first in found[:MOST]]
        if not chosen:
            best = choose(plan, usable, Wish(count)) or choose(
                plan, usable, Wish(count, adjacent=False)
            )
            chosen = [list(best)] if best else []
        return Alternatives(chosen[0], chosen) if chosen else Alternatives()
    if len(found) < count:
        best = choose(plan, usable, Wish(count, adjacent=False))
        return Alternatives(best) if best else Alternatives(sorted(found))
    return Alternatives(sorted(found[:count]))


def orphaned(plan: Plan, free: int, asked: Sequence[int]) -> Orphaned | None:
    """Returns why a selection of adjacent free seats is not allowed; None if it is.

    It is not allowed if it leaves a single seat beside it, and its run has as many adjacent free
    seats of the same type that leave none.
    """
    first, count = asked[0], len(asked)
    seats = span(first, count)
    if seats != map_of(asked) or not groups(plan, seats, count):
        return None
    alone = orphans(plan, free, count)
    if not alone >> (first - 1) & 1:
        return None
    kind = plan.seat(first).type
    run_first, run_last = plan.runs[plan.run_of(first)]
    same_run = span(run_first, run_last - run_first + 1)
    allowed = free & same_run & plan.of_type[kind]
    starts = seats_of(groups(plan, allowed, count) & ~alone)
    if not starts:
        return None
    better = min(starts, key=lambda start: (abs(start - first), start))
    return Orphaned(
        list(_left_alone(plan, free & ~seats, first, count)),
        list(range(better, better + count)),
    )


_NEAREST: WeakKeyDictionary[Plan, dict[int, int]] = WeakKeyDictionary()
_MIDDLES: WeakKeyDictionary[Plan, Sequence[tuple[int, int, int]]] = WeakKeyDictionary()


def _nearby(plan: Plan, free: int, usable: int, asked: Sequence[int], count: int) -> list[int]:
    """Lists the first seats of the best groups in the nearest runs, best first.

    Groups in the same row come first, then those that leave no orphan. Only as many groups as are
    needed are sorted by distance.
    """
    nearest = _nearest_runs(plan, plan.run_of(asked[0]))
    starts = groups(plan, usable & nearest, count)
    kinds = [starts]
    if count > 1:
        same = union(plan.map_of_part(part) for part in {plan.part_of(each) for each in asked})
        alone = orphans(plan, free, count)
        kinds = [same & ~alone, same & alone, ~same & ~alone, ~same & alone]
    center_x, center_y = _center(plan, asked)

    def distance(first: int) -> int:
        x, y = plan.middle(first, first + count - 1)
        return (x - center_x) ** 2 + (y - center_y) ** 2

    found: list[int] = []
    for kind in kinds:
        if len(found) < MOST:
            found += sorted(seats_of(starts & kind), key=distance)
    return found


def _nearest_runs(plan: Plan, run: int) -> int:
    """Returns the map of a run and the runs nearest to it, cached by run."""
    known = _NEAREST.setdefault(plan, {})
    if run not in known:
        center_x, center_y = plan.middle(*plan.runs[run])
        distances = [
            (-1 if index == run else (x - center_x) ** 2 + (y - center_y) ** 2, index)
            for index, x, y in _middles(plan)
        ]
        runs = (plan.runs[index] for _, index in nsmallest(RUNS, distances))
        known[run] = union(span(first, last - first + 1) for first, last in runs)
    return known[run]


def _middles(plan: Plan) -> Sequence[tuple[int, int, int]]:
    """Returns the index and the middle of each run of seats, cached by plan; areas have none."""
    if plan not in _MIDDLES:
        _MIDDLES[plan] = [
            (index, *plan.middle(first, last))
            for index, (first, last) in enumerate(plan.runs)
            if plan.part_of(first) < len(plan.rows)
        ]
    return _MIDDLES[plan]


def _center(plan: Plan, seat_ids: Sequence[int]) -> tuple[int, int]:
    """Returns the centre of seats, in half units as Plan.middle."""
    middles = [plan.middle(seat_id, seat_id) for seat_id in seat_ids]
    xs, ys = zip(*middles, strict=True)
    return sum(xs) // len(middles), sum(ys) // len(middles)


def _left_alone(plan: Plan, free: int, first: int, count: int) -> Iterator[int]:
    """Lists the free seats beside a group whose other neighbours are not free."""
    run_first, run_last = plan.runs[plan.run_of(first)]
    for seat_id, beyond in ((first - 1, first - 2), (first + count, first + count + 1)):
        is_free = run_first <= seat_id <= run_last and free >> (seat_id - 1) & 1
        if is_free and not (run_first <= beyond <= run_last and free >> (beyond - 1) & 1):
            yield seat_id
