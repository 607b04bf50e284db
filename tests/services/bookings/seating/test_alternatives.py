from random import Random

from services.bookings.seating.alternatives import MOST, alternatives, orphaned
from services.bookings.seating.choosing import Wish
from services.bookings.seating.plan import Plan, Row, map_of
from tests.services.bookings.seating import naive
from tests.services.bookings.seating.plans import random_free, random_plan


def row(name: str, count: int, y: int = 0, *aisles_after: int) -> Row:
    """Makes a plain row."""
    return Row(
        "", name, range(1, count + 1), ["REGULAR"] * count, range(0, 100 * count, 100), [y] * count,
        aisles_after=frozenset(aisles_after),
    )  # fmt: skip


def test_alternatives_are_free_and_together_and_were_not_asked_for() -> None:
    """Alternatives would be taken, apart, or the seats that were just refused."""
    random = Random(2)
    offered = 0
    for _ in range(2_000):
        plan = random_plan(random)
        free = random_free(random, plan)
        count = random.randint(1, min(4, plan.seat_count))
        asked = sorted(random.sample(range(1, plan.seat_count + 1), count))
        together = random.random() < 0.7
        found = alternatives(plan, map_of(free), asked, count, together=together)
        shown = {*found.seats, *(seat_id for group in found.groups for seat_id in group)}
        assert shown <= free - set(asked)
        assert len(found.groups) <= MOST
        if not found.seats:
            assert naive.choose(plan, free - set(asked), Wish(count, adjacent=False)) is None
            continue
        offered += 1
        assert len(found.seats) <= count
        if together and count > 1:
            assert found.groups[0] == found.seats
            usable = free - set(asked)
            if len(found.groups) > 1:
                assert all(group in naive.groups(plan, usable, count) for group in found.groups)
        else:
            assert not found.groups
    assert offered > 1_000


def test_the_same_row_comes_first_and_orphans_last() -> None:
    """Seats in other rows, or groups that leave an orphan, would be suggested first."""
    plan = Plan(1, [row("A", 7), row("B", 7, 120)], focal_point=(300, 60))
    found = alternatives(plan, plan.every_seat & ~map_of([3]), [3, 4], 2)
    assert found.seats == [1, 2]
    assert [plan.seat(group[0]).row for group in found.groups] == [*"AAA", *"BBBBBB"]
    assert found.groups[1:3] == [[6, 7], [5, 6]]
    assert set(map(tuple, found.groups[-2:])) == {(9, 10), (12, 13)}


def test_a_selection_that_strands_a_seat_is_refused_only_if_the_run_has_better_ones() -> None:
    """The last seats of a run could never be sold."""
    plan = Plan(1, [row("A", 5)])
    refused = orphaned(plan, plan.every_seat, [2, 3])
    assert refused is not None
    assert (refused.orphans, refused.better) == ([1], [1, 2])
    assert orphaned(plan, plan.every_seat, [1, 2]) is None
    assert orphaned(plan, map_of([1, 2, 3]), [2, 3]) is None
    assert orphaned(plan, map_of([2, 3, 4]), [3]) is not None
    assert orphaned(plan, map_of([1, 2, 3, 5]), [1, 2, 3]) is None
    assert orphaned(plan, plan.every_seat, [1, 3]) is None


def test_an_aisle_ends_a_run() -> None:
    """Two seats with an aisle between them would count as adjacent."""
    plan = Plan(1, [row("A", 4, 0, 1)])
    assert plan.runs == [(1, 2), (3, 4)]
    assert orphaned(plan, plan.every_seat, [2, 3]) is None
    assert alternatives(plan, plan.every_seat, [1, 2], 2).groups == [[3, 4]]
