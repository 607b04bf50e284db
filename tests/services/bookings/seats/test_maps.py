from random import Random
from typing import Any

import orjson
import pytest

from gateway.codec.response import message_encoder
from services.bookings.seating.plan import Area, Plan, map_of
from services.bookings.seating.prices import Prices
from services.bookings.seats import map_messages, maps
from services.bookings.seats.screening import Occupancy, Screening, Version
from tests.services.bookings.rooms import hall
from tests.services.bookings.seating.plans import random_plan

SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_map_is_what_printing_each_seat_would_give(seed: int) -> None:
    """A map of joined pieces would lose a comma, a seat, a status or a price."""
    plan, statuses, occupancy = _case(Random(seed))
    screening = occupancy.screening
    numbered = range(1, plan.seat_count - plan.places.bit_count() + 1)
    seats = [_printed(plan, seat_id, statuses[seat_id], screening) for seat_id in numbered]
    areas = _areas(plan, statuses)
    head = {"screening_id": 5, "revision": 12, "plan_id": plan.id}
    assert maps.whole_map(plan, occupancy) == orjson.dumps(head | {"seats": seats, "areas": areas})
    free = [seat for seat in seats if seat["status"] == "AVAILABLE"]
    assert maps.free_seats(plan, occupancy) == orjson.dumps(free)
    by_status = {
        status.lower(): [seat["seat_id"] for seat in seats if seat["status"] == status]
        for status in ("HELD", "SOLD", "BLOCKED")
    }
    sparse = head | {"areas": areas} | by_status
    assert maps.sparse_map(plan, occupancy) == orjson.dumps(sparse)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_map_is_what_the_gateway_would_print(seed: int) -> None:
    """Clients of HTTP would see other seats than clients of gRPC."""
    plan, _, occupancy = _case(Random(seed))
    message = map_messages.map_response(plan, occupancy).seat_map
    shown = message_encoder(message.DESCRIPTOR)(message)
    assert [shown.pop(name) for name in ("held", "sold", "blocked")] == [[], [], []]
    assert orjson.dumps(shown) == maps.whole_map(plan, occupancy)


def test_an_area_has_no_seats_in_a_map() -> None:
    """A standing area of 5,000 places would be printed as 5,000 seats."""
    plan = hall(1, 2, areas=[Area("Floor", 5_000, "REGULAR")])
    occupancy = Occupancy(_screening(), held=map_of([1, 3]), sold=map_of([4, 5]))
    printed = orjson.loads(maps.whole_map(plan, occupancy))
    assert [seat["seat_id"] for seat in printed["seats"]] == [1, 2]
    assert printed["areas"] == [{"section": "Floor", "places": 5_000, "left": 4_997}]
    assert orjson.loads(maps.sparse_map(plan, occupancy))["held"] == [1]


def _case(random: Random) -> tuple[Plan, dict[int, str], Occupancy]:
    plan = random_plan(random)
    weights = random.choice([(1, 0, 0, 0), (5, 2, 2, 1), (0, 1, 1, 1)])
    names = ("AVAILABLE", "HELD", "SOLD", "BLOCKED")
    seat_ids = range(1, plan.seat_count + 1)
    statuses = dict(zip(seat_ids, random.choices(names, weights, k=plan.seat_count), strict=True))
    held, sold, blocked = (
        map_of(seat_id for seat_id in seat_ids if statuses[seat_id] == name) for name in names[1:]
    )
    return plan, statuses, Occupancy(_screening(random.choice([None, 900])), held, sold, blocked)


def _screening(price: int | None = None) -> Screening:
    prices = Prices() if price is None else Prices(price, "EUR", {"VIP": 1_500})
    return Screening(5, 1, Version(12, 3), prices)


def _printed(plan: Plan, seat_id: int, status: str, screening: Screening) -> dict[str, Any]:
    seat = plan.seat(seat_id)
    price = None
    if screening.prices.each is not None:
        price = {"amount_minor": 1_500 if seat.type == "VIP" else 900, "currency": "EUR"}
    return {
        "seat_id": seat_id,
        "section": seat.section,
        "row": seat.row,
        "number": seat.number,
        "label": seat.label,
        "type": seat.type,
        "accessible": seat.accessible,
        "companion": seat.companion,
        "x": seat.x,
        "y": seat.y,
        "status": status,
        "price": price,
    }


def _areas(plan: Plan, statuses: dict[int, str]) -> list[dict[str, Any]]:
    first = plan.seat_count - plan.places.bit_count() + 1
    areas = []
    for area in plan.areas:
        places = range(first, first + area.places)
        left = sum(statuses[seat_id] == "AVAILABLE" for seat_id in places)
        areas.append({"section": area.section, "places": area.places, "left": left})
        first += area.places
    return areas
