"""The cases of assigned seats: holds of pairs, best seats, maps, and holds that end."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from string import Template

from tests.bench import database
from tests.bench.case import Case, driven
from tests.bench.cinema import HOLDS, Cinema, Hall
from tests.bench.system import System
from tests.bench.wrk import Load
from tests.e2e.raw_http import request

STRIDE = 7919
PEAK = 10_000
"""More requests a second than there will be: so many seats are prepared."""
ARENA, ROOM, SMALL = Hall(200, 200), Hall(25, 20), Hall(10, 20)
ROOMS = 100
NAMED = '"seat_ids":[$first,$second]'
BEST = '"best":{"count":2}'
SILENT = f'{NAMED},"suggest_alternatives":false'


@dataclass(slots=True)
class Holding:
    """Pairs of seats are held, each by another user, in one screening after the other.

    `seconds` is how long the load of a round takes at most, `wanted` the part of the body that says
    which seats, and `abreast` how many rooms take turns. No pair of a screening is asked for twice,
    unless all want the `same_pair`.
    """

    system: System
    name: str
    hall: Hall
    seconds: float
    wanted: str = NAMED
    abreast: int = 1
    same_pair: bool = False
    goal: int = 0
    note: str = ""
    screenings: Sequence[int] = ()

    def prepare(self) -> None:
        """See Case."""
        layers = 1 if self.same_pair else ceil(PEAK * self.seconds / self._of_a_layer) + 2
        cinema = Cinema(self.system)
        rooms = cinema.rooms(self.hall, self.abreast)
        self.screenings = cinema.screenings(rooms, layers * self.abreast)

    def drive(self, seconds: float) -> Load:
        """See Case."""
        run = str(time.time_ns())
        variables = {
            "SCREENINGS": ",".join(map(str, self.screenings)),
            "ABREAST": str(self.abreast),
            "TIMES": str(self._times),
            "PAIRS": str(self._pairs),
            "BODY": self._body,
            "RUN": run,
        }
        write = self._writer(run)
        load = driven(self.system, write, seconds, script="hold.lua", variables=variables)
        if not self.same_pair:
            used = ceil(load.requests / self._of_a_layer) * self.abreast
            self.screenings = self.screenings[used:]
        return load

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.refused if self.same_pair else load.succeeded

    @property
    def _pairs(self) -> int:
        return 1 if self.same_pair else self.hall.seats // 2

    @property
    def _times(self) -> int:
        """How many requests a screening gets until the next one does."""
        return self.hall.seats // 2

    @property
    def _of_a_layer(self) -> int:
        """How many requests the screenings that take turns get together."""
        return self._times * self.abreast

    @property
    def _body(self) -> str:
        return f'{{"screening_id":$screening,"user_id":"$user",{self.wanted}}}'

    def _writer(self, run: str) -> Callable[[int], bytes]:
        """Returns what writes the requests of hold.lua, in their order."""
        body = Template(self._body)

        def write(number: int) -> bytes:
            turn, place = divmod(number, self.abreast)
            at = turn // self._times * self.abreast + place
            first = 2 * (turn * STRIDE % self._pairs) + 1
            text = body.substitute(
                screening=self.screenings[at % len(self.screenings)],
                user=f"{run}-{number}",
                first=first,
                second=first + 1,
            )
            return request("POST", HOLDS, text.encode())

        return write


class Ending(Holding):
    """Pairs are held while as many holds end, in a system that ends them after a second."""

    def drive(self, seconds: float) -> Load:
        """See Case."""
        before = database.ended_holds(self.system.owner_dsn)
        load = super().drive(seconds)
        ended = database.ended_holds(self.system.owner_dsn) - before
        self.note = f"holds that ended: {ended / load.seconds:.0f}/s"
        return load


@dataclass(slots=True)
class Viewing:
    """The seats of a screening, a tenth of them held, are looked at by browsers.

    `path` is the request's with $screening; `unchanged` if the browsers have the answer already.
    """

    system: System
    name: str
    hall: Hall
    path: str
    unchanged: bool = False
    goal: int = 0
    note: str = ""
    found: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """See Case."""
        cinema = Cinema(self.system)
        [screening] = cinema.screenings(cinema.rooms(self.hall, 1), 1)
        cinema.hold_a_tenth(screening, self.hall)
        self.found = Template(self.path).substitute(screening=screening)
        self.headers = {"Accept-Encoding": "gzip"}
        if self.unchanged:
            self.headers |= {"If-None-Match": cinema.entity_tag(self.found)}

    def drive(self, seconds: float) -> Load:
        """See Case."""
        lines = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return driven(
            self.system,
            lambda _: request("GET", self.found, headers=self.headers),
            seconds,
            path=self.found,
            script="read.lua",
            variables={"HEADERS": lines},
        )

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.succeeded


def cases(system: System, seconds: float) -> Iterator[Case]:
    """Lists the cases of seats, whose holds do not end while they are driven."""
    yield Holding(system, "SEATS-HOT", ARENA, seconds)
    yield Holding(system, "SEATS-SPREAD", ROOM, seconds, abreast=ROOMS)
    yield Holding(system, "SEATS-CONTENDED", ROOM, seconds, SILENT, same_pair=True)
    yield Holding(system, "SEATS-CONTENDED, alternatives", ROOM, seconds, same_pair=True)
    yield Holding(system, "BEST of 500", ROOM, seconds, BEST)
    yield Holding(system, "BEST of 40,000", ARENA, seconds, BEST)
    seats = "/api/screenings/$screening/seats"
    yield Viewing(system, "MAP, 304", ARENA, seats, unchanged=True)
    yield Viewing(system, "MAP, 200 free", SMALL, f"{HOLDS}/available-seats/$screening")
    yield Viewing(system, "MAP, 40,000 sparse", ARENA, f"{seats}?sparse=true")


def ending(system: System, seconds: float) -> Case:
    """Returns the case for a system whose holds end after a second."""
    return Ending(system, "END", ARENA, seconds)
