"""Draws the pictures of docs/best-seats.md with the real algorithm: `make pictures`."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.bookings.seating.alternatives import alternatives, orphaned
from services.bookings.seating.choosing import Wish, choose
from services.bookings.seating.plan import Plan, Row, map_of, seats_of
from tests.docs.drawing import Drawing, Mark

FOLDER = Path(__file__).parents[2] / "docs/pictures"
AISLE = "_"
ASKED, ORPHAN = Mark("asked", "?"), Mark("orphan", "!")
TAKEN, WHEELCHAIR, COMPANION = Mark("taken"), Mark("free", "W"), Mark("free", "C")
CHOSEN = ((Mark("chosen", "1"), "chosen"), (Mark("focus"), "focal point"))
PLACES = (
    (TAKEN, "taken"),
    (WHEELCHAIR, "place for a wheelchair"),
    (COMPANION, "seat for a companion"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """A plan with some of its seats taken."""

    plan: Plan
    taken: frozenset[int]

    @property
    def free(self) -> int:
        """The map of the free seats."""
        return self.plan.every_seat & ~map_of(self.taken)


def room(*rows: str) -> Room:
    """Returns the room that some rows show, each a name and its seats, the front row first.

    `o` is a free seat, `x` a taken one, `w` a free place for a wheelchair, `c` a free seat for
    a companion, and `_` an aisle.
    """
    named = [row.split() for row in rows]
    seats = "".join(shown.replace(AISLE, "") for _, shown in named)
    parsed = [_row(name, shown, 120 * index) for index, (name, shown) in enumerate(named)]
    right = max(row.xs[-1] for row in parsed)
    plan = Plan(1, parsed, focal_point=(right // 2, parsed[-1].ys[-1] * 2 // 3))
    return Room(plan, frozenset(i for i, seat in enumerate(seats, 1) if seat == "x"))


def pictures() -> Mapping[str, str]:
    """Returns the text of each picture by the name of its file."""
    return {
        "best-pairs.svg": best_pairs(),
        "no-orphan.svg": no_orphan(),
        "split.svg": split(),
        "accessible.svg": accessible(),
        "orphan-rule.svg": orphan_rule(),
        "alternatives.svg": instead(),
    }


def best_pairs() -> str:
    """Draws which seats the first twelve couples get."""
    shown = room(*(f"{name} ooooo_ooooo" for name in "ABCDEFGH"))
    free, pairs = shown.free, []
    for _ in range(12):
        pair = _best(shown.plan, free, Wish(2))
        pairs.append(pair)
        free &= ~map_of(pair)
    return _picture("Seats of the first twelve couples", shown, _numbered(pairs), CHOSEN)


def no_orphan() -> str:
    """Draws a pair beside which nobody has to sit alone."""
    shown = room("A oooooooo", "B oooooooo", "C xooooxxx", "D xxoooxxx", "E xxxxxxxx")
    pair = _best(shown.plan, shown.free, Wish(2))
    return _picture("A pair that leaves no single seat", shown, _numbered([pair]), CHOSEN)


def split() -> str:
    """Draws how five people sit where no five seats are next to each other."""
    shown = room("A xxxxxxxx", "B xooxxxxx", "C xxooooxx", "D xxxxooox", "E ooxxxxxx")
    group = _best(shown.plan, shown.free, Wish(5, adjacent=False))
    return _picture("Five seats where no five are together", shown, _numbered([group]), CHOSEN)


def accessible() -> str:
    """Draws the seats of two people, one of them in a wheelchair."""
    shown = room("A wc_oooo_cw", "B oo_oooo_oo", "C oo_oooo_oo", "D oo_xxxx_oo")
    group = _best(shown.plan, shown.free, Wish(2, accessible=1))
    return _picture("Two seats, one for a wheelchair", shown, _numbered([group]), CHOSEN)


def orphan_rule() -> str:
    """Draws a selection that is refused, the seat that it would leave, and better ones below."""
    shown = room("chosen xoooooxx", "offered xoooooxx")
    asked = (3, 4)
    refusal = orphaned(shown.plan, shown.free, asked)
    if refusal is None:
        raise ValueError(asked)
    row = len(shown.plan.rows[0].numbers)
    marks = _numbered([[seat_id + row for seat_id in refusal.better]])
    marks |= dict.fromkeys(asked, ASKED) | dict.fromkeys(refusal.orphans, ORPHAN)
    legend = [
        (ASKED, "selected"),
        (ORPHAN, "would be left alone"),
        (Mark("chosen", "1"), "offered"),
    ]
    return _picture("A selection that is refused", shown, marks, legend)


def instead() -> str:
    """Draws the pairs that are offered in place of one that is taken."""
    shown = room(
        "A xxoox_xxxxx", "B ooxxx_ooxxx", "C xxxxx_xooxx", "D ooxxx_xxoox", "E xooxx_xxxxx"
    )
    asked = (36, 37)
    found = alternatives(shown.plan, shown.free, asked, len(asked))
    marks = _numbered(found.groups) | dict.fromkeys(asked, ASKED)
    legend = [
        (ASKED, "asked for, and taken"),
        (Mark("chosen", "1"), "offered, the best pair first"),
    ]
    return _picture("Pairs instead of one that is taken", shown, marks, legend)


def _best(plan: Plan, free: int, wish: Wish) -> Sequence[int]:
    seats = choose(plan, free, wish)
    if seats is None:
        raise ValueError(wish)
    return seats


def _numbered(groups: Iterable[Sequence[int]]) -> dict[int, Mark]:
    return {
        seat_id: Mark("chosen", f"{number}")
        for number, group in enumerate(groups, 1)
        for seat_id in group
    }


def _picture(
    title: str, shown: Room, marks: Mapping[int, Mark], legend: Sequence[tuple[Mark, str]]
) -> str:
    """Draws a room; kinds of seats that it does not have are not in the legend."""
    plan = shown.plan
    below = dict.fromkeys(shown.taken, TAKEN)
    below |= dict.fromkeys(seats_of(plan.accessible), WHEELCHAIR)
    below |= dict.fromkeys(seats_of(plan.companion), COMPANION)
    used = [(mark, text) for mark, text in PLACES if mark in below.values()]
    return Drawing(title, plan, {**below, **marks}, [*legend, *used]).svg()


def _row(name: str, shown: str, y: int) -> Row:
    pieces = shown.split(AISLE)
    seats = "".join(pieces)
    ends = [sum(map(len, pieces[:count])) for count in range(1, len(pieces))]
    xs = [100 * (index + sum(end <= index for end in ends)) for index in range(len(seats))]
    marked = {
        mark: frozenset(index for index, seat in enumerate(seats) if seat == mark) for mark in "wc"
    }
    return Row(
        "",
        name,
        range(1, len(seats) + 1),
        ["REGULAR"] * len(seats),
        xs,
        [y] * len(seats),
        marked["w"],
        marked["c"],
        frozenset(end - 1 for end in ends),
    )


def main() -> int:
    """Writes the pictures."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pictures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
