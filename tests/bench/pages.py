"""Measures pages in a browser without a GPU: `python -m tests.bench.pages`.

How long a room takes to appear, how long frames are while seats change and while the map is moved,
and how long it is from a click in one browser to what another one shows. Processor time is that of
the page's main thread.
"""

import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page, ViewportSize, sync_playwright

from tests.bench.cinema import HOLDS, Cinema, Hall
from tests.bench.system import System, running_system
from tests.pages.browsers import browser_path

NOTES = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
HALLS = {"500 seats, SVG": Hall(25, 20), "40,000 seats, canvas": Hall(200, 200)}
FRAMES = 100
CHANGED = 10
CLICKS, FIRST = 30, 201
SECONDS = 30
SIZE: ViewportSize = {"width": 1180, "height": 860}


def main() -> int:
    """Measures everything, and prints a line for each; returns the exit status."""
    with running_system() as system:
        cinema = Cinema(system)
        screenings = {
            name: cinema.screenings(cinema.rooms(hall, 1), 1)[0] for name, hall in HALLS.items()
        }
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path())
            for name, screening in screenings.items():
                print(f"{name}:")
                for line in _room(browser, system, screening):
                    print(f"    {line}", flush=True)
            print("from a click on Hold in one browser to another one:")
            for line in _two_browsers(browser, system, min(screenings.values())):
                print(f"    {line}", flush=True)
            browser.close()
    return 0


def _room(browser: Browser, system: System, screening: int) -> Iterator[str]:
    """Measures the page of one room."""
    with _opened(browser, system, screening) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.wait_for_function("bench.painted")
        yield f"first seats after {page.evaluate('bench.painted'):.0f} ms"
        yield _frames(session, page, "at rest", "")
        with httpx.Client(base_url=system.url) as client:
            yield _changing(session, page, client, screening)
        yield _frames(session, page, "moving the whole room", PAN)
        page.locator(".map-box").click(position={"x": 300, "y": 200})
        yield _frames(session, page, "moving it from near", PAN)


PAN = (
    "(n) => document.querySelector('.map-box').scrollBy(n % 50 < 25 ? 9 : -9, n % 20 < 10 ? 5 : -5)"
)


def _changing(session: CDPSession, page: Page, client: httpx.Client, screening: int) -> str:
    """Changes seats again and again while frames are measured."""
    measuring = f"bench.running = bench.measure({FRAMES})"
    before = _processor_ms(session)
    page.evaluate(f"() => {{ {measuring} }}")
    changes = FRAMES // CHANGED
    for number in range(changes):
        first = 1 + CHANGED * number
        body = {
            "screening_id": screening,
            "user_id": f"changing-{number}",
            "seat_ids": list(range(first, first + CHANGED)),
        }
        client.post(HOLDS, json=body).raise_for_status()
    frames = page.evaluate("bench.running")
    page.wait_for_function(f"bench.seen.flatMap((each) => each.seats).length >= {FRAMES}")
    used = (_processor_ms(session) - before) / changes
    return f"{CHANGED} seats at a time: {_figures(frames)}, processor {used:.1f} ms a change"


def _frames(session: CDPSession, page: Page, name: str, step: str) -> str:
    before = _processor_ms(session)
    frames = page.evaluate(f"bench.measure({FRAMES}, {step or '() => {}'})")
    used = (_processor_ms(session) - before) / FRAMES
    return f"{name}: {_figures(frames)}, processor {used:.1f} ms a frame"


def _two_browsers(browser: Browser, system: System, screening: int) -> Iterator[str]:
    """Holds seats in one browser, and looks at another one."""
    with (
        _opened(browser, system, screening) as buyer,
        _opened(browser, system, screening) as watcher,
    ):
        parts: dict[str, list[float]] = {"decided": [], "came": [], "painted": []}
        for seat in range(FIRST, FIRST + CLICKS):
            buyer.locator(f"[data-seat='{seat}']").click()
            buyer.locator("aside .main").click()
            clicked: float = buyer.evaluate("bench.clicked")
            watcher.wait_for_function("bench.seen.length")
            [seen] = watcher.evaluate("bench.seen.splice(0)")
            assert seen["seats"] == [seat], seen
            for part, times in parts.items():
                times.append(seen[part] - clicked)
            buyer.get_by_role("button", name="Release").click()
            watcher.wait_for_function("bench.seen.length")
            watcher.evaluate("bench.seen.splice(0)")
        for part, times in parts.items():
            yield f"{part}: {_figures(times)}"


@contextmanager
def _opened(browser: Browser, system: System, screening: int) -> Iterator[Page]:
    """Opens the page of a screening in a browser of its own."""
    context = browser.new_context(base_url=system.url, viewport=SIZE, bypass_csp=True)
    context.set_default_timeout(1_000 * SECONDS)
    context.add_init_script(NOTES)
    page = context.new_page()
    page.goto(f"/pages/event.html?id={screening}", wait_until="networkidle")
    yield page
    context.close()


def _processor_ms(session: CDPSession) -> float:
    found: Any = session.send("Performance.getMetrics")
    metrics = {each["name"]: each["value"] for each in found["metrics"]}
    return 1e3 * float(metrics["TaskDuration"])


def _figures(milliseconds: Sequence[float]) -> str:
    p50 = statistics.median(milliseconds)
    p99 = sorted(milliseconds)[len(milliseconds) * 99 // 100]
    return f"p50 {p50:.0f}, p99 {p99:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
