"""Draws the seats of a plan as SVG, which is readable on light and dark pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.bookings.seating.plan import Plan

SCALE = 0.3
SEAT = 24
MARGIN = 16
TOP = 56
LINE = 32
LETTER = 8
STYLE = """
    .page { fill: #ffffff; stroke: #d0d7de; }
    text { fill: #1f2328; font: 13px system-ui, sans-serif; }
    .seat { stroke: #57606a; stroke-width: 1.5; fill: #ffffff; }
    .taken { fill: #8c959f; stroke: #8c959f; }
    .chosen { fill: #1a7f37; stroke: #1a7f37; }
    .asked { fill: #ddf4ff; stroke: #0969da; stroke-dasharray: 4 2; }
    .orphan { fill: #cf222e; stroke: #cf222e; }
    .mark { text-anchor: middle; dominant-baseline: central; font-size: 12px; }
    .on-chosen, .on-orphan { fill: #ffffff; font-weight: bold; }
    .on-asked { fill: #0969da; }
    .stage { stroke: #57606a; stroke-width: 3; }
    .focus { fill: none; stroke: #bf3989; stroke-width: 2; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d; }
      text { fill: #e6edf3; }
      .seat { stroke: #8b949e; fill: #0d1117; }
      .taken { fill: #484f58; stroke: #484f58; }
      .chosen { fill: #238636; stroke: #238636; }
      .asked { fill: #121d2f; stroke: #58a6ff; }
      .orphan { fill: #da3633; stroke: #da3633; }
      .on-chosen, .on-orphan { fill: #ffffff; }
      .on-asked { fill: #58a6ff; }
      .stage { stroke: #8b949e; }
      .focus { stroke: #f778ba; }
    }
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a seat shows: a text, and a class of the style by its kind."""

    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plan with marks on some of its seats; `legend` explains marks in words.

    The focal point is drawn if the legend explains it.
    """

    title: str
    plan: Plan
    marks: Mapping[int, Mark]
    legend: Sequence[tuple[Mark, str]]

    def svg(self) -> str:
        """Returns the text of the file."""
        width, height = self._size
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        parts = (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            f"  <title>{self.title}</title>",
            f"  <style>{STYLE}  </style>",
            f'  <rect class="page" width="{width}" height="{height}" rx="8"/>',
            *self._stage(),
            *self._rows(),
            *self._seats(),
            *self._focus(),
            *self._legend(),
            "</svg>\n",
        )
        return "\n".join(parts)

    @property
    def _left(self) -> int:
        """The x of the first seats: names of rows are left of them."""
        return 2 * MARGIN + LETTER * max(len(row.name) for row in self.plan.rows)

    @property
    def _right(self) -> int:
        """The x at which the last seats end."""
        return self._left + _scaled(max(row.xs[-1] for row in self.plan.rows)) + SEAT

    @property
    def _bottom(self) -> int:
        """The y at which the last row ends."""
        return TOP + _scaled(max(row.ys[-1] for row in self.plan.rows)) + SEAT

    @property
    def _size(self) -> tuple[int, int]:
        texts = max(len(text) for _, text in self.legend) * LETTER + SEAT + 3 * MARGIN
        height = self._bottom + LINE * len(self.legend) + MARGIN
        return max(self._right + MARGIN, texts), height

    def _stage(self) -> Iterator[str]:
        middle = (self._left + self._right) // 2
        yield (
            f'  <line class="stage" x1="{self._left}" y1="36" x2="{self._right}" y2="36"'
            ' stroke-linecap="round"/>'
        )
        yield f'  <text class="mark" x="{middle}" y="22">screen</text>'

    def _rows(self) -> Iterator[str]:
        for row in self.plan.rows:
            y = TOP + _scaled(row.ys[0]) + SEAT // 2
            yield f'  <text x="{MARGIN}" y="{y}" dominant-baseline="central">{row.name}</text>'

    def _seats(self) -> Iterator[str]:
        for seat_id in range(1, self.plan.seat_count + 1):
            seat = self.plan.seat(seat_id)
            x, y = self._left + _scaled(seat.x or 0), TOP + _scaled(seat.y or 0)
            yield from _seat(x, y, self.marks.get(seat_id, Mark("free")))

    def _focus(self) -> Iterator[str]:
        if all(mark.kind != "focus" for mark, _ in self.legend):
            return
        x, y = map(_scaled, self.plan.focal_point)
        half = SEAT // 2
        yield f'  <circle class="focus" cx="{self._left + x + half}" cy="{TOP + y + half}" r="6"/>'

    def _legend(self) -> Iterator[str]:
        for number, (mark, text) in enumerate(self.legend):
            y = self._bottom + MARGIN + LINE * number
            yield from _seat(MARGIN, y, mark)
            middle = y + SEAT // 2
            x = 2 * MARGIN + SEAT
            yield f'  <text x="{x}" y="{middle}" dominant-baseline="central">{text}</text>'


def _seat(x: int, y: int, mark: Mark) -> Iterator[str]:
    middle_x, middle_y = x + SEAT // 2, y + SEAT // 2
    if mark.kind == "focus":
        yield f'  <circle class="focus" cx="{middle_x}" cy="{middle_y}" r="6"/>'
        return
    size = f'width="{SEAT}" height="{SEAT}" rx="5"'
    yield f'  <rect class="seat {mark.kind}" x="{x}" y="{y}" {size}/>'
    if mark.text:
        yield (
            f'  <text class="mark on-{mark.kind}" x="{middle_x}" y="{middle_y}">{mark.text}</text>'
        )


def _scaled(units: int) -> int:
    return round(units * SCALE)
