"""Draws a sale as it ran: seats left, bookings a second, and response times, as SVG.

The picture is plain SVG with a style for light and one for dark pages. It needs no library: three
charts with one axis of time are less than a plotting library would have to be told.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from deploy.load.run import Result
from deploy.load.series import Bin

WIDTH, LEFT, RIGHT = 760, 64, 24
TOP, PANEL, GAP, BOTTOM = 64, 120, 46, 40
STEPS = 4
"""Lines above zero in a chart, about."""
STYLE = """
    .page { fill: #ffffff; stroke: #d0d7de; }
    text { fill: #1f2328; font: 12px system-ui, sans-serif; }
    .title { font-size: 15px; font-weight: 600; }
    .name { font-weight: 600; }
    .quiet { fill: #57606a; }
    .end { text-anchor: end; }
    .middle { text-anchor: middle; }
    .grid { stroke: #d8dee4; stroke-width: 1; }
    .left { fill: #ddf4ff; stroke: #0969da; stroke-width: 1.5; }
    .sold { fill: #1a7f37; }
    .refused { fill: #afb8c1; }
    .p50, .p99 { fill: none; stroke-width: 1.5; }
    .p50 { stroke: #8250df; }
    .p99 { stroke: #bc4c00; stroke-dasharray: 5 3; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117; stroke: #30363d; }
      text { fill: #e6edf3; }
      .quiet { fill: #9198a1; }
      .grid { stroke: #262c36; }
      .left { fill: #121d2f; stroke: #58a6ff; }
      .sold { fill: #3fb950; }
      .refused { fill: #484f58; }
      .p50 { stroke: #ab7df8; }
      .p99 { stroke: #f0883e; }
    }
  """

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart: values from 0 to about `most`, at times from 0 to `seconds`."""

    top: float
    seconds: float
    most: float

    @property
    def ticks(self) -> Sequence[float]:
        """The round values at which lines are drawn; the last one is the top of the chart."""
        step = nice(self.most / STEPS)
        count = max(1, math.ceil(round(self.most / step, 6)))
        return [round(step * index, 6) for index in range(count + 1)]

    def x(self, at_seconds: float) -> float:
        """Returns where a time is."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at_seconds / self.seconds, 1)

    def y(self, value: float) -> float:
        """Returns where a value is."""
        return round(self.top + PANEL * (1 - value / self.ticks[-1]), 1)

    def frame(self, name: str) -> Iterator[str]:
        """Yields the name, and lines at round values."""
        yield _text(LEFT, self.top - 10, name, "name")
        for value in self.ticks:
            y = self.y(value)
            yield f'<line class="grid" x1="{LEFT}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}"/>'
            yield _text(LEFT - 8, y + 4, f"{value:,g}", "quiet end")


def draw(result: Result) -> str:
    """Returns the picture of a run."""
    bins = result.shop.series.bins()
    width = bins[1].at_seconds if len(bins) > 1 else 1.0
    seconds = width * len(bins)
    sale = result.sale
    status = {0: "every booking is as it was told", 1: "THE CHECK FAILED"}
    subtitle = (
        f"{len(result.shop.purchases):,} purchases, {sale.total_seats:,} seats, "
        f"{result.shop.series.sold:,} sold; {status.get(result.exit_status, 'not checked')}"
    )
    body = [
        _text(LEFT, 26, f"A sale as it ran: {result.plan.profile}", "title"),
        _text(LEFT, 44, subtitle, "quiet"),
        *_left(Panel(_top(0), seconds, sale.total_seats), bins, width),
        *_rates(Panel(_top(1), seconds, _most(_rate, bins)), bins, width),
        *_times(Panel(_top(2), seconds, _most(_slowest, bins)), bins, width),
        *_clock(Panel(_top(2), seconds, 1)),
    ]
    return _svg(f"A load test ({result.plan.profile}): {subtitle}", body)


def nice(value: float) -> float:
    """Returns the next round number, 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _left(panel: Panel, bins: Sequence[Bin], width: float) -> Iterator[str]:
    """Draws the seats that are left."""
    yield from panel.frame("Seats left")
    known = [(part.at_seconds, part.left) for part in bins if part.left is not None]
    steps = [
        (panel.x(at), panel.y(left))
        for start, left in known
        for at in (start, min(start + width, panel.seconds))
    ]
    if steps:
        ends = [(steps[-1][0], panel.y(0)), (steps[0][0], panel.y(0))]
        yield f'<path class="left" d="{_path([*steps, *ends])} Z"/>'


def _rates(panel: Panel, bins: Sequence[Bin], width: float) -> Iterator[str]:
    """Draws the seats that were sold each second, and the refusals above them."""
    yield from panel.frame("Seats sold a second, and refusals (grey)")
    for part in bins:
        x, breadth = panel.x(part.at_seconds), panel.x(width) - panel.x(0)
        base = panel.y(0)
        for name, value in (("refused", _rate(part)), ("sold", part.sold_per_second)):
            if value:
                y = panel.y(value)
                yield (
                    f'<rect class="{name}" x="{x}" y="{y}" width="{max(0.5, breadth - 0.5):.1f}" '
                    f'height="{base - y:.1f}"/>'
                )


def _times(panel: Panel, bins: Sequence[Bin], width: float) -> Iterator[str]:
    """Draws the times of responses, in the middle of each part."""
    yield from panel.frame("Response time in ms: p50 (solid), p99 (dashed)")
    for name in ("p50", "p99"):
        points = [
            (panel.x(part.at_seconds + width / 2), panel.y(value))
            for part in bins
            if (value := part.p50_ms if name == "p50" else part.p99_ms) is not None
        ]
        if points:
            yield f'<path class="{name}" d="{_path(points)}"/>'


def _clock(panel: Panel) -> Iterator[str]:
    """Draws the axis of time."""
    step = nice(panel.seconds / 6)
    for index in range(int(panel.seconds / step) + 1):
        at = round(index * step, 6)
        yield _text(panel.x(at), _top(2) + PANEL + 18, f"{at:g} s", "quiet middle")


def _rate(part: Bin) -> float:
    return part.sold_per_second + part.refused_per_second


def _slowest(part: Bin) -> float:
    return part.p99_ms or 0.0


def _most(value: Callable[[Bin], float], bins: Sequence[Bin]) -> float:
    return max(map(value, bins), default=0.0)


def _top(panel: int) -> int:
    return TOP + 14 + panel * (PANEL + GAP)


def _path(points: Sequence[Point]) -> str:
    return "M" + " L".join(f"{x} {y}" for x, y in points)


def _text(x: float, y: float, text: str, names: str) -> str:
    return f'<text x="{x}" y="{y}" class="{names}">{escape(text)}</text>'


def _svg(title: str, body: Sequence[str]) -> str:
    height = _top(2) + PANEL + BOTTOM
    lines = "\n  ".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"  <title>{escape(title)}</title>\n  <style>{STYLE}</style>\n"
        f'  <rect class="page" width="{WIDTH}" height="{height}" rx="8"/>\n  {lines}\n</svg>\n'
    )
