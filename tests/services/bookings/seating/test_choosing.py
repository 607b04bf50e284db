from random import Random

from services.bookings.seating.choosing import Wish, choose
from services.bookings.seating.plan import map_of
from tests.services.bookings.seating import naive
from tests.services.bookings.seating.plans import TYPES, random_free, random_plan

CHOICES = 4_000


def test_the_best_seats_are_those_that_lists_and_loops_find() -> None:
    """A wrong bit, a shift over an aisle or a wrong order of pieces would give worse seats."""
    random = Random(1)
    found = 0
    for _ in range(CHOICES):
        plan = random_plan(random)
        free = random_free(random, plan)
        sections = [None, None, *plan.of_section]
        count = random.randint(1, 6)
        wish = Wish(
            count,
            random.choice((None, None, *TYPES)),
            random.choice(sections),
            adjacent=random.random() < 0.5,
            accessible=random.choice((0, 0, 0, min(count, random.randint(1, 2)))),
        )
        best = choose(plan, map_of(free), wish)
        assert best == naive.choose(plan, free, wish), (plan.rows, plan.areas, free, wish)
        found += best is not None
    assert CHOICES * 0.2 < found < CHOICES * 0.9
