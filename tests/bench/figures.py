"""The figures of a case, in one round or as the median of several."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.batches import Batches

COLUMNS = ("/s", "goal", "p50 ms", "p99 ms", "failed", "CPU µs")
NAME_WIDTH, WIDTH = 30, 9


@dataclass(frozen=True, slots=True)
class Figures:
    """A round: counted responses per second, milliseconds, and failed requests.

    `goal` is the rate that should be, and `cpu_us` the processor time of each process per request.
    """

    goal: int
    rate: float
    p50: float
    p99: float
    failed: int
    cpu_us: Mapping[str, float]
    batches: Sequence[tuple[str, Batches]] = ()
    note: str = ""


def header() -> str:
    """Returns the names of the columns of `row`."""
    return f"{'case':<{NAME_WIDTH}}" + "".join(f"{n:>{WIDTH}}" for n in COLUMNS) + "  by process"


def row(name: str, rounds: Sequence[Figures]) -> str:
    """Returns the medians of some rounds, and below them the further figures."""
    cpu = {p: round(median(r.cpu_us[p] for r in rounds)) for p in rounds[0].cpu_us}
    numbers = (
        f"{median(r.rate for r in rounds):.0f}",
        f"{rounds[0].goal or ''}",
        f"{median(r.p50 for r in rounds):.1f}",
        f"{median(r.p99 for r in rounds):.1f}",
        f"{sum(r.failed for r in rounds)}",
        f"{sum(cpu.values())}",
    )
    shares = ", ".join(f"{process} {used}" for process, used in cpu.items())
    lines = [f"{name:<{NAME_WIDTH}}" + "".join(f"{n:>{WIDTH}}" for n in numbers) + f"  {shares}"]
    if len(rounds) > 1:
        lines.append(
            f"from {min(r.rate for r in rounds):.0f} to {max(r.rate for r in rounds):.0f}/s"
        )
    lines += [f"{lane}: {batches}" for lane, batches in rounds[-1].batches]
    lines += filter(None, [rounds[-1].note])
    return "\n    ".join(lines)
