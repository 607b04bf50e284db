"""The revisions of an event: the last nine digits count its changes, those before them restores."""

from collections.abc import Sequence

CHANGES = 1_000_000_000


def revisions(first: int, last: int, most: int) -> Sequence[int]:
    """Returns the first `most` revisions from `first` to `last`, in their order.

    If a restore lies between, it returns all that there can be, whatever `most` is: each number of
    a change as it is before and after the restore. The event has one of them; see restoring.sql.
    """
    if last - first < CHANGES:
        return range(first, min(last, first + most - 1) + 1)
    return [
        revision
        for restores in range(first // CHANGES, last // CHANGES + 1)
        for change in range(first % CHANGES, last % CHANGES + 1)
        if first <= (revision := restores * CHANGES + change) <= last
    ]
