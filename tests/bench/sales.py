"""HOLD-TO-TICKET: whole sales, each a hold, its ticket and its payment in the sandbox."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from tests.bench import closed_loop
from tests.bench.cinema import HOLDS, Cinema, Hall
from tests.bench.system import System
from tests.bench.wrk import CONNECTIONS, Load
from tests.e2e.raw_http import Answer, Connection, request

HALL = Hall(200, 200)
PEAK = 2_000
"""More sales a second than there will be: so many seats are prepared."""
PRICE = {"amount_minor": 900, "currency": "EUR"}
CARD = {"method": "card", "token": "tok_ok"}


@dataclass(slots=True)
class Selling:
    """Pairs of seats are sold, each to another user, in one screening after the other.

    A sale counts if its payment has succeeded when it is answered; its time is that of its three
    requests. The load comes from Python, as each request needs the answer to the one before.
    """

    system: System
    seconds: float
    name: str = "HOLD-TO-TICKET"
    goal: int = 0
    note: str = "three requests a sale"
    screenings: Sequence[int] = ()

    def prepare(self) -> None:
        """See Case."""
        cinema = Cinema(self.system)
        # One for the warm-up.
        count = ceil(PEAK * self.seconds / self._pairs) + 1
        self.screenings = cinema.screenings(cinema.rooms(HALL, 1), count, price=PRICE)

    def drive(self, seconds: float) -> Load:
        """See Case."""
        run, screenings = time.time_ns(), self.screenings

        async def sell(line: Connection, number: int) -> Answer:
            turn, pair = divmod(number, self._pairs)
            wanted = {
                "screening_id": screenings[turn],
                "user_id": f"{run}-{number}",
                "seat_ids": [2 * pair + 1, 2 * pair + 2],
            }
            held = await line.ask(request("POST", HOLDS, wanted))
            if not _is_made(held):
                return held
            booked = {"reservation_id": held.json["reservation_id"]}
            issued = await line.ask(request("POST", "/api/tickets", booked))
            if not _is_made(issued):
                return issued
            paid: dict[str, Any] = {"ticket_id": issued.json["ticket_id"], **CARD}
            answer = await line.ask(request("POST", "/api/payments", paid))
            is_sold = answer.json.get("status") == "SUCCEEDED"
            return answer if is_sold else replace(answer, status=closed_loop.REFUSED)

        load = closed_loop.drive_each(
            self.system.port, sell, seconds=seconds, connections=CONNECTIONS
        )
        self.screenings = screenings[ceil(load.requests / self._pairs) :]
        return load

    def counted(self, load: Load) -> int:
        """See Case."""
        return load.succeeded

    @property
    def _pairs(self) -> int:
        return HALL.seats // 2


def _is_made(answer: Answer) -> bool:
    return answer.status == 201
