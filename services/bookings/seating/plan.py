"""Seat plans: which seats a room has, where they are, and which are next to each other.

A plan never changes, so its derived data is computed once. Seats have the ids 1 to n: first the
seats of the rows in order, then the places of the areas.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

FEW = 16
"""Up to this number, setting bits one by one is faster than building a whole map."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of seats in their order. Sets hold indices of seats, from 0 on.

    An aisle follows each seat in `aisles_after`. `labels` has printed numbers that differ from the
    seat's number. Coordinates are whole numbers, about 100 for a seat.
    """

    section: str
    name: str
    numbers: Sequence[int]
    types: Sequence[str]
    xs: Sequence[int]
    ys: Sequence[int]
    accessible: frozenset[int] = frozenset()
    companion: frozenset[int] = frozenset()
    aisles_after: frozenset[int] = frozenset()
    labels: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Area:
    """General admission: places without row and number, all equally good."""

    section: str
    places: int
    type: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat as clients see it. A place of an area has no row, number or coordinates."""

    id: int
    section: str
    row: str
    number: int | None
    label: str
    type: str
    accessible: bool
    companion: bool
    x: int | None
    y: int | None


class Plan:
    """The seats of a room. The best seats are near `focal_point`, as (x, y)."""

    def __init__(
        self,
        id: int,  # noqa: A002 - the field's name
        rows: Sequence[Row],
        areas: Sequence[Area] = (),
        focal_point: tuple[int, int] = (0, 0),
    ) -> None:
        self.id = id
        self.rows = rows
        self.areas = areas
        self.focal_point = focal_point
        sizes = [len(row.numbers) for row in rows] + [area.places for area in areas]
        self._firsts = [1, *(first + 1 for first in accumulate(sizes))]
        self.seat_count = self._firsts.pop() - 1

    @cached_property
    def every_seat(self) -> int:
        """The map of all seats."""
        return span(1, self.seat_count)

    @cached_property
    def places(self) -> int:
        """The map of the places of all areas."""
        first = self._firsts[len(self.rows)] if self.areas else self.seat_count + 1
        return span(first, self.seat_count - first + 1)

    @cached_property
    def runs(self) -> Sequence[tuple[int, int]]:
        """The first and last seat of each run: neighbours without an aisle between, or an area."""
        runs = [run for index in range(len(self.rows)) for run in self._runs_of(index)]
        for index, area in enumerate(self.areas, len(self.rows)):
            first = self._firsts[index]
            runs.append((first, first + area.places - 1))
        return runs

    @cached_property
    def joined(self) -> int:
        """The map of seats whose next seat is adjacent. Places have no neighbours."""
        runs = (span(first, last - first) for first, last in self.runs)
        return union(runs) & ~self.places

    @cached_property
    def accessible(self) -> int:
        """The map of seats for wheelchair users."""
        return self._marked("accessible")

    @cached_property
    def companion(self) -> int:
        """The map of seats for companions of wheelchair users."""
        return self._marked("companion")

    @cached_property
    def of_type(self) -> Mapping[str, int]:
        """The maps of seats by type."""
        ids: dict[str, list[int]] = {}
        for first, row in zip(self._firsts, self.rows, strict=False):
            for seat_id, kind in enumerate(row.types, first):
                ids.setdefault(kind, []).append(seat_id)
        maps = {kind: map_of(found) for kind, found in ids.items()}
        for first, area in self._areas_by_first():
            maps[area.type] = maps.get(area.type, 0) | span(first, area.places)
        return maps

    @cached_property
    def of_section(self) -> Mapping[str, int]:
        """The maps of seats by section."""
        maps: dict[str, int] = {}
        for first, row in zip(self._firsts, self.rows, strict=False):
            maps[row.section] = maps.get(row.section, 0) | span(first, len(row.numbers))
        for first, area in self._areas_by_first():
            maps[area.section] = maps.get(area.section, 0) | span(first, area.places)
        return maps

    def cost(self, first: int, count: int) -> int:
        """Returns the cost of `count` seats from `first` on: squared distances to the focal point.

        Places cost nothing: they are taken in the order of their ids.
        """
        return self._costs_up_to[first + count - 1] - self._costs_up_to[first - 1]

    def seat(self, seat_id: int) -> Seat:
        """Returns a seat; raises KeyError for an unknown id."""
        if not 1 <= seat_id <= self.seat_count:
            raise KeyError(seat_id)
        part = self.part_of(seat_id)
        index = seat_id - self._firsts[part]
        if part < len(self.rows):
            return _seat(seat_id, self.rows[part], index)
        area = self.areas[part - len(self.rows)]
        return Seat(seat_id, area.section, "", None, "", area.type, False, False, None, None)

    def type_of(self, seat_id: int) -> str:
        """Returns the type of a seat."""
        part = self.part_of(seat_id)
        if part < len(self.rows):
            return self.rows[part].types[seat_id - self._firsts[part]]
        return self.areas[part - len(self.rows)].type

    def middle(self, first: int, last: int) -> tuple[int, int]:
        """Returns the point halfway between two seats, in half units so that it is whole."""
        xs, ys = self._coordinates
        return xs[first] + xs[last], ys[first] + ys[last]

    def part_of(self, seat_id: int) -> int:
        """Returns the index of a seat's row; areas are counted after the rows."""
        return bisect_right(self._firsts, seat_id) - 1

    def map_of_part(self, part: int) -> int:
        """Returns the map of the seats of a row, or of the places of an area."""
        first = self._firsts[part]
        end = self._firsts[part + 1] if part + 1 < len(self._firsts) else self.seat_count + 1
        return span(first, end - first)

    def run_of(self, seat_id: int) -> int:
        """Returns the index of a seat's run."""
        return bisect_right(self._run_firsts, seat_id) - 1

    @cached_property
    def _coordinates(self) -> tuple[Sequence[int], Sequence[int]]:
        """The x and y of each seat by its id; places are at 0, 0."""
        xs, ys = array("l", [0]), array("l", [0])
        for row in self.rows:
            xs.extend(row.xs)
            ys.extend(row.ys)
        rest = [0] * (self.seat_count + 1 - len(xs))
        xs.extend(rest)
        ys.extend(rest)
        return xs, ys

    @cached_property
    def _costs_up_to(self) -> Sequence[int]:
        """The total cost of all seats up to each id; the first one is 0."""
        center_x, center_y = self.focal_point
        costs = array("q", [0])
        for row in self.rows:
            for x, y in zip(row.xs, row.ys, strict=True):
                costs.append(costs[-1] + (x - center_x) ** 2 + (y - center_y) ** 2)
        costs.extend(costs[-1:] * (self.seat_count + 1 - len(costs)))
        return costs

    @cached_property
    def _run_firsts(self) -> Sequence[int]:
        return [first for first, _ in self.runs]

    def _runs_of(self, index: int) -> Iterator[tuple[int, int]]:
        row, first = self.rows[index], self._firsts[index]
        start = 0
        for end in sorted({*row.aisles_after, len(row.numbers) - 1}):
            yield first + start, first + end
            start = end + 1

    def _marked(self, attribute: str) -> int:
        return map_of(
            first + index
            for first, row in zip(self._firsts, self.rows, strict=False)
            for index in getattr(row, attribute)
        )

    def _areas_by_first(self) -> Iterator[tuple[int, Area]]:
        return zip(self._firsts[len(self.rows) :], self.areas, strict=True)


def map_of(seat_ids: Iterable[int]) -> int:
    """Returns the map of seats."""
    ids = list(seat_ids)
    if len(ids) <= FEW:
        seats = 0
        for seat_id in ids:
            seats |= 1 << (seat_id - 1)
        return seats
    bits = bytearray(max(ids, default=0) // 8 + 1)
    for seat_id in ids:
        bits[(seat_id - 1) >> 3] |= 1 << ((seat_id - 1) & 7)
    return int.from_bytes(bits, "little")


def seats_of(seats: int) -> list[int]:
    """Returns the ids of the seats in a map, in order; skips empty stretches quickly."""
    stored = seats.to_bytes((seats.bit_length() + 7) // 8, "little")
    return [
        8 * found.start() + bit + 1
        for found in _NOT_EMPTY.finditer(stored)
        for bit in _BITS[stored[found.start()]]
    ]


def span(first: int, count: int) -> int:
    """Returns the map of `count` seats from `first` on."""
    return ((1 << max(count, 0)) - 1) << (first - 1)


_NOT_EMPTY = re.compile(rb"[^\x00]")
_BITS = [[bit for bit in range(8) if byte >> bit & 1] for byte in range(256)]


def among(seats: int, seat_ids: Iterable[int]) -> list[int]:
    """Returns those of the seats that are in a map, in the order of their ids."""
    return [seat_id for seat_id in sorted(seat_ids) if seats >> (seat_id - 1) & 1]


def union(maps: Iterable[int]) -> int:
    """Joins maps of few seats each, in pairs: joining one after the other would be quadratic."""
    level = list(maps)
    while len(level) > 1:
        level = [left | right for left, right in zip(level[::2], [*level[1::2], 0], strict=False)]
    return level[0] if level else 0


def _seat(seat_id: int, row: Row, index: int) -> Seat:
    number = row.numbers[index]
    return Seat(
        seat_id,
        row.section,
        row.name,
        number,
        row.labels.get(index, str(number)),
        row.types[index],
        index in row.accessible,
        index in row.companion,
        row.xs[index],
        row.ys[index],
    )
