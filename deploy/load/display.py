"""Shows a run as it happens: a bar and a summary on a terminal, plain lines elsewhere."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.load.purchases import Outcome
from deploy.load.run import Result
from deploy.load.series import Kind

REFRESH_SECONDS = 0.25
LINE_SECONDS = 5
RECENT = 200
"""Requests that the times shown are those of."""


class Display:
    """Shows the progress on `console`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.asynccontextmanager
    async def __call__(self, result: Result) -> AsyncIterator[None]:
        """Shows the run during the block."""
        show = self._show_live if self._console.is_terminal else self._show_lines
        task = asyncio.create_task(show(result))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _show_live(self, result: Result) -> None:
        progress = Progress(
            TextColumn(f"[bold]{result.plan.profile}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        task = progress.add_task("", total=result.shop.planned)
        with Live(console=self._console, refresh_per_second=1 / REFRESH_SECONDS) as live:
            try:
                while True:
                    await asyncio.sleep(REFRESH_SECONDS)  # paces the screen
                    progress.update(task, completed=result.shop.finished)
                    live.update(Group(progress, _table(result)))
            finally:
                progress.update(task, completed=result.shop.finished)
                live.update(Group(progress, _table(result)))

    async def _show_lines(self, result: Result) -> None:
        while True:
            await asyncio.sleep(LINE_SECONDS)  # paces the lines
            shown = ", ".join(f"{name} {value}" for name, value in _summary(result).items())
            done = f"{result.shop.finished}/{result.shop.planned}"
            self._console.print(f"{result.shop.series.now:.0f} s: {done}; {shown}", soft_wrap=True)


def _summary(result: Result) -> dict[str, str]:
    """Returns names and values of the summary."""
    shop, series = result.shop, result.shop.series
    unknown = sum(one.outcome is Outcome.UNKNOWN for one in shop.purchases)
    left = series.left[-1][1] if series.left else "?"
    return {
        "sold": f"{series.sold}",
        "left": f"{left}",
        "refused": f"{series.kinds[Kind.REFUSED]}",
        "not done": f"{series.kinds[Kind.NOT_DONE]}",
        "open or unknown": f"{unknown}",
        "requests/s": f"{len(series.requests) / max(series.now, 1e-3):.0f}",
        "p50": _milliseconds(series.wait_ms(50, RECENT)),
        "p99": _milliseconds(series.wait_ms(99, RECENT)),
    }


def _table(result: Result) -> Table:
    values = _summary(result)
    table = Table(box=None, padding=(0, 2))
    for name in values:
        table.add_column(name, justify="right", header_style="dim")
    table.add_row(*values.values())
    return table


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
