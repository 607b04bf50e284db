"""Cases with closed-loop load: each connection sends the next request after a response."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.bench import database, tokens
from tests.bench.case import Case, driven
from tests.bench.database import ROOM
from tests.bench.system import System
from tests.bench.wrk import Load
from tests.e2e.raw_http import request, reservation, ticket

EVENTS = 1_000
CALLERS = 1_000
LAG = 256
"""How many users later a seat is given back."""
LISTS = ("/api/bookings", "/api/bookings/top-users", "/events")

NewEvent = Callable[[], int]


@dataclass(slots=True)
class Reserving:
    """Reserves seats, each for another user, of one event or of several in turn."""

    system: System
    name: str
    goal: int
    new_event: NewEvent
    events: int = 1
    keys: bool = False
    sold_out: bool = False
    callers: int = 0
    note: str = ""
    first: int = 0
    tokens: Sequence[str] = ()

    def prepare(self) -> None:
        """See Case."""
        self.first = self.new_event()
        self.tokens = tokens.issue(self.system.owner_dsn, self.callers)

    def drive(self, seconds: float) -> Load:
        """See Case."""
        run = str(time.time_ns())

        def write(number: int) -> bytes:
            user = f"{run}-{number}"
            event_id = self.first + number % self.events
            token = self.tokens[number % self.callers] if self.callers else ""
            return reservation(event_id, user, user if self.keys else "", token)

        variables = {
            "FIRST": str(self.first),
            "EVENTS": str(self.events),
            "KEYS": "1" if self.keys else "0",
            "RUN": run,
        }
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.writelines(f"{token}\n" for token in self.tokens)
            file.flush()
            variables["TOKENS"] = file.name
            return driven(self.system, write, seconds, script="reserve.lua", variables=variables)

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.refused if self.sold_out else load.succeeded


@dataclass(slots=True)
class Waiting:
    """Requests tickets of an event that is sold out, each for another user, who then waits."""

    system: System
    name: str
    waiting: int = 0
    goal: int = 0
    note: str = ""
    key: str = ""

    def prepare(self) -> None:
        """See Case."""
        self.key = self.system.create_tickets(1)
        database.fill_waiting_list(self.system.owner_dsn, self.key, holders=1, waiting=self.waiting)

    def drive(self, seconds: float) -> Load:
        """See Case."""
        run = str(time.time_ns())
        return driven(
            self.system,
            lambda number: ticket(self.key, f"{run}-{number}"),
            seconds,
            script="book.lua",
            variables={"KEY": self.key, "RUN": run},
        )

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.succeeded


@dataclass(slots=True)
class Mixed:
    """Reserves seats (R), books tickets (B) and cancels them (C), in the order of `mix`."""

    system: System
    name: str
    mix: str
    goal: int = 0
    note: str = ""
    first: int = 0
    key: str = ""

    def prepare(self) -> None:
        """See Case."""
        self.key = self.system.create_tickets(ROOM)
        self.first = database.number_of(self.system.owner_dsn, self.key)

    def drive(self, seconds: float) -> Load:
        """See Case."""
        run = str(time.time_ns())
        variables = {
            "FIRST": str(self.first),
            "KEY": self.key,
            "MIX": self.mix,
            "RUN": run,
            "LAG": str(LAG),
        }
        write = mixed(self.first, self.key, self.mix, run)
        return driven(self.system, write, seconds, script="mixed.lua", variables=variables)

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.succeeded


@dataclass(slots=True)
class BesideLists:
    """Runs another case while one client reads lists without a pause."""

    system: System
    name: str
    beside: Case
    goal: int = 0
    note: str = ""

    def prepare(self) -> None:
        """See Case."""
        self.beside.prepare()

    def drive(self, seconds: float) -> Load:
        """See Case."""
        with ThreadPoolExecutor(1) as executor:
            reading = executor.submit(
                driven, self.system, _list, seconds, connections=1, script="lists.lua"
            )
            load = self.beside.drive(seconds)
            lists = reading.result()
        self.note = f"lists: {lists.succeeded / lists.seconds:.0f}/s, p99 {lists.p99:.1f} ms"
        return load

    def counted(self, load: Load) -> int:
        """See Case."""
        return self.beside.counted(load)


@dataclass(slots=True)
class Reading:
    """Reads the availability of an event."""

    system: System
    name: str
    goal: int
    note: str = ""
    path: str = ""

    def prepare(self) -> None:
        """See Case."""
        self.path = f"/api/events/{self.system.create_event(ROOM)}/availability"

    def drive(self, seconds: float) -> Load:
        """See Case."""
        return driven(self.system, lambda _: request("GET", self.path), seconds, path=self.path)

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.succeeded


def cases(system: System) -> Iterator[Case]:
    """Returns all cases. Another way to reserve, for example with a token, is a line here."""

    def empty() -> int:
        return system.create_event(ROOM)

    def full() -> int:
        return system.create_event(0)

    def many() -> int:
        return min(system.create_event(ROOM) for _ in range(EVENTS))

    def grown() -> int:
        event_id = empty()
        database.grow(system.owner_dsn, event_id, another=empty())
        return event_id

    yield Reserving(system, "HOT", 11_000, empty)
    yield Reserving(system, "HOT, keys", 6_600, empty, keys=True)
    yield Reserving(system, "HOT, tokens", 8_300, empty, callers=CALLERS)
    yield BesideLists(system, "HOT beside lists", Reserving(system, "HOT", 0, empty))
    yield Reserving(system, "SPREAD", 9_000, many, events=EVENTS)
    yield Reserving(system, "SOLD-OUT", 11_000, full, sold_out=True)
    yield Reserving(system, "SOLD-OUT, keys", 4_200, full, sold_out=True, keys=True)
    yield Reading(system, "READ", 14_500)
    yield Reserving(system, "GROWN", 10_000, grown)
    yield Mixed(system, "CANCEL", "RC")
    yield Mixed(system, "MIXED", "RRRRRRRCCB")
    yield Waiting(system, "BOOK, sold out")
    yield Waiting(system, "BOOK, 100,000 waiting", waiting=100_000)


def mixed(first: int, key: str, mix: str, run: str) -> Callable[[int], bytes]:
    """Returns a function that writes the requests of mixed.lua, in their order."""
    counts = {"users": 0, "cancelled": 0}

    def write(number: int) -> bytes:
        kind = mix[number % len(mix)]
        if kind == "C" and counts["cancelled"] < counts["users"] - LAG:
            counts["cancelled"] += 1
            return ticket(key, f"{run}-{counts['cancelled']}", path="/cancel")
        counts["users"] += 1
        user = f"{run}-{counts['users']}"
        return ticket(key, user) if kind == "B" else reservation(first, user)

    return write


def _list(number: int) -> bytes:
    return request("GET", LISTS[number % len(LISTS)])
