"""The benchmark: `make bench`. Prints each figure with its goal, and checks the database."""

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.bench import (
    batches,
    database,
    figures,
    latency,
    new_clients,
    overload,
    profiles,
    promotion,
    references,
    rush,
    sales,
    seat_cases,
    tls,
    watching,
)
from tests.bench.case import Case
from tests.bench.cases import cases
from tests.bench.figures import Figures
from tests.bench.system import System, running_system
from tests.bench.wrk import has_wrk

WARM_UP_SECONDS = 2
MEMORY_MB = 200
# Drivers, and how many connections each has.
REFERENCES = (
    (references.one_statement, 16),
    (references.counted_under_a_lock, 16),
    (references.set_based, 1),
)

# A case, the case that it is compared to, and the goal of the ratio.
RATIOS = (
    ("GROWN", "HOT", " (goal 0.9)"),
    ("HOT, tokens", "HOT", " (goal 0.75)"),
    ("HOT beside lists", "HOT", ""),
    ("CANCEL", "HOT", " (goal 0.7)"),
    ("MIXED", "HOT", " (goal 0.8)"),
    ("BOOK, sold out", "HOT", " (goal 0.8)"),
    ("BOOK, 100,000 waiting", "BOOK, sold out", ""),
    ("SEATS-HOT", "HOT", " (goal 0.75)"),
    ("SEATS-SPREAD", "SPREAD", " (goal 0.75)"),
    ("SEATS-CONTENDED", "HOT", " (goal 1.0)"),
    ("SEATS-CONTENDED, alternatives", "HOT", " (goal 0.6)"),
    ("BEST of 500", "HOT", " (goal 0.75)"),
    ("BEST of 40,000", "HOT", " (goal 0.55)"),
    ("MAP, 304", "READ", " (goal 0.9)"),
    ("MAP, 200 free", "READ", " (goal 0.5)"),
    ("MAP, 40,000 sparse", "READ", " (goal 0.25)"),
    ("HOLD-TO-TICKET", "HOT", " (goal 0.2)"),
    ("END", "SEATS-HOT", " (goal 0.4)"),
)
# Holds end after a second in the system of END, and never while another one is measured.
SHORT_HOLDS = {"BOOKINGS_HOLD_SECONDS": "1"}
LONG_HOLDS = {"BOOKINGS_HOLD_SECONDS": "86400"}

Rounds = Mapping[str, list[Figures]]


def main() -> int:
    """Runs the cases and prints the results; fails if the database is inconsistent."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="duration of each case")
    parser.add_argument("--rounds", type=int, default=1, help="how often, taking turns")
    parser.add_argument("--only", default="", help="names of cases, separated by semicolons")
    parser.add_argument("--profile", action="store_true", help="draw a flame graph of each process")
    parser.add_argument("--tls", action="store_true", help="encrypt gRPC between all processes")
    arguments = parser.parse_args()
    if not has_wrk():
        _log("There is no wrk (Debian package wrk): the load comes from Python, and takes more.")
    with contextlib.ExitStack() as stack:
        if arguments.tls:
            # For every process that is started from here.
            os.environ.update(stack.enter_context(tls.certificates()))
        system = stack.enter_context(running_system(**LONG_HOLDS, **watching.SETTINGS))
        return Bench(system, arguments).run()


class Bench:
    """A run of all cases on one system."""

    def __init__(self, system: System, arguments: argparse.Namespace) -> None:
        self._system = system
        self._seconds: float = arguments.seconds
        self._rounds: int = arguments.rounds
        self._only: set[str] = set(filter(None, map(str.strip, arguments.only.split(";"))))
        self._folder: Path | None = None
        if arguments.profile:
            self._folder = Path(tempfile.mkdtemp(prefix="boxoffice-profiles-"))
        self._memory: list[Mapping[str, float]] = []
        self._requests = 0
        self._drifting = 0

    def run(self) -> int:
        """Measures and prints everything; returns the exit status."""
        reference = self._measure_references()
        seconds = WARM_UP_SECONDS + self._seconds
        possible = [
            *cases(self._system),
            *seat_cases.cases(self._system, seconds),
            sales.Selling(self._system, seconds),
        ]
        rounds = self._measure_in_turn([case for case in possible if self._is_chosen(case.name)])
        if self._is_chosen("END"):
            with running_system(**SHORT_HOLDS) as other:
                rounds |= self._measure_in_turn([seat_cases.ending(other, seconds)])
                self._drifting += database.drift(other.owner_dsn)
        print(figures.header())
        for name, measured in rounds.items():
            print(figures.row(name, measured), flush=True)
        _print_ratios(rounds, reference)
        self._print_extras(rounds)
        return self._check_database()

    def _measure_in_turn(self, chosen: Sequence[Case]) -> dict[str, list[Figures]]:
        rounds: dict[str, list[Figures]] = {case.name: [] for case in chosen}
        for number in range(self._rounds):
            for case in chosen:
                rounds[case.name].append(self._measure(case))
                _log(f"round {number + 1}, {case.name}: {rounds[case.name][-1].rate:.0f}/s")
        return rounds

    def _is_chosen(self, name: str) -> bool:
        return not self._only or name in self._only

    def _measure(self, case: Case) -> Figures:
        system = case.system
        case.prepare()
        case.drive(WARM_UP_SECONDS)
        if not self._memory:
            self._memory.append(self._system.memory_mb())
        before, earlier = system.cpu_seconds(), system.metrics()
        with self._profiled(case):
            load = case.drive(self._seconds)
        used = {name: cpu - before[name] for name, cpu in system.cpu_seconds().items()}
        self._memory.append(self._system.memory_mb())
        self._requests += load.requests
        return Figures(
            case.goal,
            case.counted(load) / load.seconds,
            load.p50,
            load.p99,
            load.failed,
            {name: 1e6 * cpu / load.requests for name, cpu in used.items()},
            batches.between(earlier, system.metrics()),
            case.note,
        )

    def _profiled(self, case: Case) -> contextlib.AbstractContextManager[None]:
        if self._folder is None:
            return contextlib.nullcontext()
        return profiles.profiled(case.system, case.name, self._folder, self._seconds)

    def _measure_references(self) -> dict[str, float]:
        """Measures other ways to reserve on this machine, without HTTP and gRPC."""
        seconds, dsn = self._seconds / 3, self._system.owner_dsn
        return {
            driver.__name__: asyncio.run(
                references.measure(dsn, driver, seconds=seconds, connections=connections)
            )
            for driver, connections in REFERENCES
        }

    def _print_extras(self, rounds: Rounds) -> None:
        if self._is_chosen("IDLE"):
            _print_lines(latency.report(self._system))
        if self._is_chosen("PROMOTION"):
            _print_lines(promotion.report(self._system, self._seconds))
        if self._is_chosen("RUSH"):
            _print_lines(rush.report(self._system))
        if self._is_chosen("NEWCOMERS"):
            _print_lines(new_clients.report(self._system))
        _print_lines(watching.report(self._system, self._seconds, self._is_chosen))
        if self._is_chosen("OVERLOAD") and rounds.get("HOT"):
            _print_lines(overload.report(self._system, _rate(rounds["HOT"]), self._seconds / 3))

    def _check_database(self) -> int:
        self._memory.append(self._system.memory_mb())
        print(f"memory, MB (goal: flat, under {MEMORY_MB}), over {self._requests} requests:")
        for name, first in self._memory[0].items():
            course = [round(memory[name]) for memory in self._memory]
            print(f"    {name:<10} first {first:.0f}, last {course[-1]}, most {max(course)}")
        if self._folder is not None:
            print(f"flame graphs are in {self._folder}")
        self._drifting += database.drift(self._system.owner_dsn)
        print(f"events whose counters, rows, seats and ledger disagree: {self._drifting}")
        return int(self._drifting > 0)


def _rate(rounds: Sequence[Figures]) -> float:
    return statistics.median(figure.rate for figure in rounds)


def _print_ratios(rounds: Rounds, reference: Mapping[str, float]) -> None:
    """Prints ratios of figures of this run, which are valid for other machines, too."""
    for driver, rate in reference.items():
        print(f"reference driver {driver}: {rate:.0f} seats/s")
    if rounds.get("HOT"):
        for driver, rate in reference.items():
            ratio = _rate(rounds["HOT"]) / rate
            print(f"HOT is {ratio:.2f} of {driver}, which has neither HTTP nor gRPC around it")
    for name, other, goal in RATIOS:
        if rounds.get(name) and rounds.get(other):
            print(f"{name} is {_rate(rounds[name]) / _rate(rounds[other]):.2f} of {other}{goal}")


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _log(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
