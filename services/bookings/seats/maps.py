"""Prints maps of seats as JSON, from pieces that are made once for each plan.

Building a map of 40,000 seats from objects takes ten times as long. The JSON is what the gateway
would print of the messages in seats.proto.
"""

from collections.abc import Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

import orjson

from services.bookings.seating.plan import Plan, seats_of
from services.bookings.seats.screening import Occupancy, Screening

Tails: TypeAlias = dict[str, bytes]
"""The last part of a printed seat, by type."""


def whole_map(plan: Plan, occupancy: Occupancy) -> bytes:
    """Prints all seats without the places of areas."""
    pieces = _pieces(plan)
    available = _tails("AVAILABLE", plan, occupancy.screening)
    tails = [available[kind] for kind in pieces.types]
    for status, seats in _taken(plan, occupancy).items():
        of_status = _tails(status, plan, occupancy.screening)
        for seat_id in seats:
            tails[seat_id - 1] = of_status[pieces.types[seat_id - 1]]
    screening = occupancy.screening
    start = b'{"screening_id":%d,"revision":%d,"plan_id":%d,"seats":' % (
        screening.event_id,
        screening.version.rev,
        plan.id,
    )
    areas = b',"areas":%s}' % orjson.dumps(_areas(plan, occupancy))
    return b"".join((start, _array(pieces.heads, tails), areas))


def sparse_map(plan: Plan, occupancy: Occupancy) -> bytes:
    """Prints only the ids of the seats that are not free."""
    screening = occupancy.screening
    taken = {status.lower(): seats for status, seats in _taken(plan, occupancy).items()}
    return orjson.dumps(
        {
            "screening_id": screening.event_id,
            "revision": screening.version.rev,
            "plan_id": plan.id,
            "areas": _areas(plan, occupancy),
            **taken,
        }
    )


def free_seats(plan: Plan, occupancy: Occupancy) -> bytes:
    """Prints the free seats without the places of areas."""
    pieces = _pieces(plan)
    available = _tails("AVAILABLE", plan, occupancy.screening)
    free = [seat_id - 1 for seat_id in seats_of(occupancy.free(plan) & ~plan.places)]
    heads = [pieces.heads[index] for index in free]
    return _array(heads, [available[pieces.types[index]] for index in free])


class _Pieces:
    """The printed start of each seat, the same for all screenings; each begins with a comma."""

    def __init__(self, plan: Plan) -> None:
        count = plan.seat_count - plan.places.bit_count()
        seats = [plan.seat(seat_id) for seat_id in range(1, count + 1)]
        self.types = [seat.type for seat in seats]
        # Printed, a seat begins with `{"id"`.
        self.heads = [b',{"seat_id"' + orjson.dumps(seat)[5:-1] for seat in seats]


_PIECES: WeakKeyDictionary[Plan, _Pieces] = WeakKeyDictionary()


def _pieces(plan: Plan) -> _Pieces:
    if plan not in _PIECES:
        _PIECES[plan] = _Pieces(plan)
    return _PIECES[plan]


def _tails(status: str, plan: Plan, screening: Screening) -> Tails:
    tails = {}
    for kind in plan.of_type:
        price = screening.prices.of(kind)
        shown = {"amount_minor": price[0], "currency": price[1]} if price else None
        tails[kind] = b"," + orjson.dumps({"status": status, "price": shown})[1:]
    return tails


def _array(heads: Sequence[bytes], tails: Sequence[bytes]) -> bytes:
    """Joins printed seats to an array, without the comma of the first one."""
    if not heads:
        return b"[]"
    joined: list[bytes] = [b""] * (2 * len(heads))
    joined[0::2] = heads
    joined[1::2] = tails
    joined[0] = b"[" + heads[0][1:]
    joined.append(b"]")
    return b"".join(joined)


def _taken(plan: Plan, occupancy: Occupancy) -> dict[str, list[int]]:
    """Lists the seats of each status except AVAILABLE, without the places of areas."""
    seats = ~plan.places
    return {
        "HELD": seats_of(occupancy.held & seats),
        "SOLD": seats_of(occupancy.sold & seats),
        "BLOCKED": seats_of(occupancy.blocked & seats),
    }


def _areas(plan: Plan, occupancy: Occupancy) -> list[dict[str, object]]:
    return [
        {"section": area.section, "places": area.places, "left": left}
        for area, left in occupancy.left_of_areas(plan)
    ]
