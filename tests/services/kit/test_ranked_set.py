from hypothesis import given
from hypothesis import strategies as st

from services.kit.ranked_set import RankedSet

NUMBERS = st.sets(st.integers(0, 300))


@given(NUMBERS, st.lists(st.tuples(st.booleans(), NUMBERS), max_size=6))
def test_a_rank_is_that_of_a_brute_count(
    numbers: set[int], changes: list[tuple[bool, set[int]]]
) -> None:
    """People in a queue would be told that it is their turn sooner or later than it is."""
    ranked, known = RankedSet(numbers), set(numbers)
    assert ranked.rank(0) == 0
    for is_added, changed in changes:
        (ranked.add if is_added else ranked.discard)(changed)
        known = known | changed if is_added else known - changed
        copy = RankedSet.from_bytes(ranked.to_bytes())
        for each in (ranked, copy):
            assert len(each) == len(known)
            for number in range(0, 400, 7):
                assert each.rank(number) == sum(other < number for other in known)
                assert (number in each) is (number in known)
