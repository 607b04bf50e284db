"""Seat plans: rows of seats as columns, and areas of places."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Point = tuple[int, int]
"""A position from left to right, and from front to back."""


@dataclass(frozen=True, slots=True)
class Row:
    """Seats of a row in the order in which they stand. Indices of them count from 1 on.

    `labels` has the printed numbers that are not the number itself, by index.
    """

    section: str
    name: str
    numbers: Sequence[int]
    types: Sequence[str]
    xs: Sequence[int]
    ys: Sequence[int]
    accessible: Sequence[int] = ()
    companion: Sequence[int] = ()
    aisles_after: Sequence[int] = ()
    labels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Area:
    """General admission: places without row and number, one as good as another."""

    section: str
    places: int
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The seats of a room: first those of the rows, then the places of the areas."""

    rows: Sequence[Row]
    areas: Sequence[Area]
    focal_point: Point

    @property
    def seat_count(self) -> int:
        """Number of seats, places of areas included."""
        return sum(len(row.numbers) for row in self.rows) + sum(area.places for area in self.areas)

    def seats(self) -> Iterator[dict[str, object]]:
        """Yields the seats of the rows as clients see them, in the order of their ids."""
        seat_id = 0
        for row in self.rows:
            accessible, companion = frozenset(row.accessible), frozenset(row.companion)
            aisles_after = frozenset(row.aisles_after)
            columns = zip(row.numbers, row.types, row.xs, row.ys, strict=True)
            for index, (number, kind, x, y) in enumerate(columns, 1):
                seat_id += 1
                yield {
                    "seat_id": seat_id,
                    "section": row.section,
                    "row": row.name,
                    "number": number,
                    "label": row.labels.get(index) or str(number),
                    "type": kind,
                    "accessible": index in accessible,
                    "companion": index in companion,
                    "aisle_after": index in aisles_after,
                    "x": x,
                    "y": y,
                }


def middle(rows: Sequence[Row]) -> Point:
    """Returns the usual focal point: the middle of the seats, two thirds back."""
    xs = [x for row in rows for x in (min(row.xs), max(row.xs))]
    ys = [y for row in rows for y in (min(row.ys), max(row.ys))]
    if not xs:
        return 0, 0
    return (min(xs) + max(xs)) // 2, min(ys) + (max(ys) - min(ys)) * 2 // 3
