"""What happened when: every request of the run, seats sold, and seats left."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from deploy.load.client import NOT_SENT, Answer

BINS = 60
"""How many parts a run is shown in, at most."""
SHORTEST_BIN_SECONDS = 0.05


class Kind(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


def kind_of(answer: Answer | None) -> Kind:
    """Returns how a request ended.

    After 429 and 503, and if nothing was sent, certainly nothing was done. After a broken
    connection, 504 or any other failure nobody knows.
    """
    if answer is None:
        return Kind.UNKNOWN
    if answer.status in {NOT_SENT.status, 429, 503} or answer.code in {
        "request_in_progress",
        "change_pending",
    }:
        return Kind.NOT_DONE
    if answer.status >= 500:
        return Kind.UNKNOWN
    return Kind.REFUSED if answer.status >= 400 else Kind.DONE


@dataclass(frozen=True, slots=True)
class Bin:
    """A part of the run; `left` is None as long as it is not known, times as well."""

    at_seconds: float
    requests: int
    sold_per_second: float
    refused_per_second: float
    left: int | None
    p50_ms: float | None
    p99_ms: float | None


@dataclass(slots=True)
class Series:
    """Times are seconds since the run began."""

    started: float = field(default_factory=time.monotonic)
    requests: list[tuple[float, float, Kind]] = field(default_factory=list)
    """When each request ended, how long it took since it was due, and how it ended."""
    sales: list[tuple[float, int]] = field(default_factory=list)
    """When seats were sold, and how many."""
    left: list[tuple[float, int]] = field(default_factory=list)
    """How many seats were left at some times."""
    known: list[float] = field(default_factory=list)
    """How long it took from the arrival of each buyer of a rush until the outcome was known."""
    codes: Counter[str] = field(default_factory=Counter)
    """Codes of all responses but successes."""
    kinds: Counter[Kind] = field(default_factory=Counter)
    sold: int = 0
    seconds: float = 0.0
    """How long the run took, once it is over."""

    @property
    def now(self) -> float:
        """The seconds since the run began."""
        return time.monotonic() - self.started

    def restart(self) -> None:
        """Begins the run now; keeps the number of seats left as its first one."""
        self.left = [(0.0, seats) for _, seats in self.left[-1:]]
        self.started = time.monotonic()

    def end(self) -> None:
        """Ends the run."""
        self.seconds = self.now

    def record(self, answer: Answer | None, due: float) -> Kind:
        """Records a request that was due at a time of `time.monotonic`."""
        kind = kind_of(answer)
        moment = time.monotonic()
        self.requests.append((moment - self.started, moment - due, kind))
        self.kinds[kind] += 1
        if kind is not Kind.DONE:
            self.codes[answer.code if answer else "no response"] += 1
        return kind

    def sell(self, seats: int) -> None:
        """Records that seats were sold."""
        self.sales.append((self.now, seats))
        self.sold += seats

    def show_left(self, seats: int) -> None:
        """Records how many seats are left."""
        self.left.append((self.now, seats))

    def wait_ms(self, percent: float, last: int = 0) -> float | None:
        """Returns a percentile of the times of all requests, or of the `last` ones."""
        return percentile_ms([seconds for _, seconds, _ in self.requests[-last:]], percent)

    def bins(self) -> Sequence[Bin]:
        """Divides the run into equal parts."""
        end = self.seconds or self.now
        width = max(SHORTEST_BIN_SECONDS, end / BINS)
        count = int(end / width) + 1
        waits: list[list[float]] = [[] for _ in range(count)]
        refused, sold = [0] * count, [0] * count
        for at, seconds, kind in self.requests:
            waits[min(count - 1, int(at / width))].append(seconds)
            refused[min(count - 1, int(at / width))] += kind is Kind.REFUSED
        for at, seats in self.sales:
            sold[min(count - 1, int(at / width))] += seats
        left = self._left_after([(index + 1) * width for index in range(count)])
        return [
            Bin(
                round(index * width, 3),
                len(waits[index]),
                round(sold[index] / width, 1),
                round(refused[index] / width, 1),
                left[index],
                percentile_ms(waits[index], 50),
                percentile_ms(waits[index], 99),
            )
            for index in range(count)
        ]

    def json(self) -> dict[str, Any]:
        """Returns the series as JSON."""
        return {
            "responses": {str(kind): count for kind, count in self.kinds.items()},
            "codes": dict(self.codes),
            "seconds": round(self.seconds, 3),
            "seats_sold": self.sold,
            "p50_ms": self.wait_ms(50),
            "p99_ms": self.wait_ms(99),
            "known_p50_ms": percentile_ms(self.known, 50),
            "known_p99_ms": percentile_ms(self.known, 99),
            "bins": [asdict(part) for part in self.bins()],
        }

    def _left_after(self, moments: Sequence[float]) -> list[int | None]:
        """Returns the newest known number of seats left at each of some ascending moments."""
        found: list[int | None] = []
        known: int | None = None
        index = 0
        for moment in moments:
            while index < len(self.left) and self.left[index][0] < moment:
                known = self.left[index][1]
                index += 1
            found.append(known)
        return found


def percentile_ms(seconds: Sequence[float], percent: float) -> float | None:
    """Returns a percentile in milliseconds, by the nearest rank; None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(1e3 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))], 1)
