"""Makes seat plans of what an admin describes: seats one by one, rows in short, areas.

Pure. Everything that is wrong with a description is found at once, with its path in the request.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from services.events.theaters.plan import Area, Plan, Point, Row, middle
from services.kit.rpc.errors import ValidationFailed, Violation

MOST_SEATS = 100_000
MOST_VIOLATIONS = 100
SEAT_WIDTH, AISLE_WIDTH, ROW_DEPTH = 100, 100, 120

RowKey = tuple[str, str]
"""Section and name of a row."""


@dataclass(frozen=True, slots=True)
class SeatSpec:
    """A seat to make. Without a position it is beside the one before it."""

    section: str
    row: str
    number: int
    type: str
    label: str | None = None
    accessible: bool = False
    companion: bool = False
    aisle_after: bool = False
    x: int | None = None
    y: int | None = None


@dataclass(frozen=True, slots=True)
class RowSpec:
    """Seats with consecutive numbers, by which the sets and `types` name them."""

    section: str
    row: str
    seats: int
    first_number: int
    type: str
    types: Mapping[str, Sequence[int]] = field(default_factory=dict)
    accessible: Sequence[int] = ()
    companion: Sequence[int] = ()
    aisles_after: Sequence[int] = ()
    x: int | None = None
    y: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """What a room is to have. Without a focal point it has the usual one."""

    seats: Sequence[SeatSpec]
    rows: Sequence[RowSpec]
    areas: Sequence[Area]
    focal_point: Point | None


def plan_of(layout: Layout) -> Plan:
    """Makes the plan of a layout; raises ValidationFailed."""
    _check_size(layout)
    found = [*islice(_violations(layout), MOST_VIOLATIONS)]
    if found:
        raise ValidationFailed(violations=found)
    rows: list[Row] = []
    for seats in _split(layout.seats):
        rows.append(_row_of_seats(seats, _next_y(rows)))
    for spec in layout.rows:
        rows.append(_row_of_spec(spec, _next_y(rows)))
    return Plan(rows, layout.areas, layout.focal_point or middle(rows))


def _check_size(layout: Layout) -> None:
    in_rows = sum(row.seats for row in layout.rows)
    count = len(layout.seats) + in_rows + sum(area.places for area in layout.areas)
    if not 1 <= count <= MOST_SEATS:
        wrong = f"must be 1 to {MOST_SEATS:,} seats, together with `rows` and `areas`"
        raise ValidationFailed(violations=[Violation("room.seats", wrong)])


def _violations(layout: Layout) -> Iterator[Violation]:
    taken: set[RowKey] = set()
    yield from _of_seats(layout.seats, taken)
    for index, row in enumerate(layout.rows):
        path = f"room.rows[{index}]"
        if (row.section, row.row) in taken:
            yield Violation(f"{path}.row", "is the name of another row of the section")
        taken.add((row.section, row.row))
        yield from _of_row(row, path)
    sections: set[str] = set()
    for index, area in enumerate(layout.areas):
        if area.section in sections:
            yield Violation(f"room.areas[{index}].section", "is the name of another area")
        sections.add(area.section)


def _of_seats(seats: Sequence[SeatSpec], taken: set[RowKey]) -> Iterator[Violation]:
    """Yields what is wrong with seats; adds their rows to those that are taken."""
    present: RowKey | None = None
    numbers: dict[RowKey, set[int]] = {}
    for index, seat in enumerate(seats):
        key = seat.section, seat.row
        if key != present and key in taken:
            yield Violation(f"room.seats[{index}].row", "must follow the other seats of its row")
        if seat.number in numbers.setdefault(key, set()):
            yield Violation(f"room.seats[{index}].number", "is the number of another seat")
        numbers[key].add(seat.number)
        taken.add(key)
        present = key


def _of_row(row: RowSpec, path: str) -> Iterator[Violation]:
    numbers = range(row.first_number, row.first_number + row.seats)
    lists = {
        "accessible": row.accessible,
        "companion": row.companion,
        "aisles_after": row.aisles_after,
        **{f"types.{kind}": named for kind, named in row.types.items()},
    }
    for name, named in lists.items():
        for index, number in enumerate(named):
            if number not in numbers:
                yield Violation(f"{path}.{name}[{index}]", "is the number of no seat of the row")
    typed: set[int] = set()
    for kind, named in row.types.items():
        for index, number in enumerate(named):
            if number in typed:
                yield Violation(f"{path}.types.{kind}[{index}]", "has a type already")
            typed.add(number)


def _split(seats: Sequence[SeatSpec]) -> Iterator[Sequence[SeatSpec]]:
    """Yields the seats of each row."""
    start = 0
    for end in range(1, len(seats) + 1):
        before = seats[end - 1]
        if end == len(seats) or (seats[end].section, seats[end].row) != (
            before.section,
            before.row,
        ):
            yield seats[start:end]
            start = end


def _next_y(rows: Sequence[Row]) -> int:
    """Returns where the next row is, unless it says so itself."""
    return rows[-1].ys[0] + ROW_DEPTH if rows else 0


def _row_of_seats(seats: Sequence[SeatSpec], y: int) -> Row:
    return Row(
        section=seats[0].section,
        name=seats[0].row,
        numbers=[seat.number for seat in seats],
        types=[seat.type for seat in seats],
        xs=[*_positions(((seat.x, seat.aisle_after) for seat in seats), 0)],
        ys=[*_depths(seats, y)],
        accessible=_indices(seat.accessible for seat in seats),
        companion=_indices(seat.companion for seat in seats),
        aisles_after=_indices(seat.aisle_after for seat in seats),
        labels={
            index: seat.label
            for index, seat in enumerate(seats, 1)
            if seat.label and seat.label != str(seat.number)
        },
    )


def _row_of_spec(row: RowSpec, y: int) -> Row:
    numbers = range(row.first_number, row.first_number + row.seats)
    types = {number: kind for kind, named in row.types.items() for number in named}
    aisles = frozenset(row.aisles_after)
    xs = _positions(((None, number in aisles) for number in numbers), row.x or 0)
    return Row(
        section=row.section,
        name=row.row,
        numbers=numbers,
        types=[types.get(number, row.type) for number in numbers],
        xs=[*xs],
        ys=[y if row.y is None else row.y] * row.seats,
        accessible=_counted(row.accessible, row),
        companion=_counted(row.companion, row),
        aisles_after=_counted(row.aisles_after, row),
    )


def _positions(seats: Iterable[tuple[int | None, bool]], x: int) -> Iterator[int]:
    """Yields the position of each seat, given its own and whether an aisle follows it."""
    for own, is_aisle_next in seats:
        position = x if own is None else own
        yield position
        x = position + SEAT_WIDTH + AISLE_WIDTH * is_aisle_next


def _depths(seats: Iterable[SeatSpec], y: int) -> Iterator[int]:
    for seat in seats:
        y = y if seat.y is None else seat.y
        yield y


def _indices(marks: Iterable[bool]) -> list[int]:
    return [index for index, is_marked in enumerate(marks, 1) if is_marked]


def _counted(numbers: Iterable[int], row: RowSpec) -> list[int]:
    """Returns the indices of seats of a row by their numbers."""
    return sorted({number - row.first_number + 1 for number in numbers})
