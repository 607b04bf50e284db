from hypothesis import given
from hypothesis import strategies as st

from services.bookings.queue.line import Line

PLACES = st.sets(st.integers(1, 300))


@given(PLACES, st.lists(st.tuples(st.booleans(), PLACES), max_size=6))
def test_a_position_is_that_of_a_brute_count(
    places: set[int], changes: list[tuple[bool, set[int]]]
) -> None:
    """People would be told that it is their turn sooner or later than it is."""
    line, waiting = Line.of(1, places), set(places)
    for seq, (waits, changed) in enumerate(changes, 2):
        line.change(seq, waits=waits, places=changed)
        waiting = waiting | changed if waits else waiting - changed
    assert line.length == len(waiting)
    for place in waiting:
        assert line.position(place) == sorted(waiting).index(place) + 1
