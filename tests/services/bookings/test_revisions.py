from services.bookings.revisions import revisions


def test_revisions_follow_each_other() -> None:
    """A reader would pass over changes."""
    assert list(revisions(7, 9, 100)) == [7, 8, 9]
    assert list(revisions(2_000_000_007, 2_000_000_100, 2)) == [2_000_000_007, 2_000_000_008]
    assert list(revisions(9, 8, 100)) == []


def test_a_restore_is_no_end() -> None:
    """A reader would look for a billion changes, or not find those after the restore."""
    read = list(revisions(7, 1_000_000_009, 2))
    assert read == [7, 8, 9, 1_000_000_007, 1_000_000_008, 1_000_000_009]
