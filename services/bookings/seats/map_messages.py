"""Protobuf messages of seats: maps, alternatives, and why seats cannot be had."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from boxoffice.bookings.v1 import seats_pb2
from services.bookings.seating.alternatives import Alternatives
from services.bookings.seating.plan import Plan, seats_of
from services.bookings.seats.screening import Occupancy, Screening
from services.kit.rpc.money import money

AVAILABLE = seats_pb2.SEAT_STATUS_AVAILABLE


class Prices(Protocol):
    """What the seats of a screening cost."""

    def price_of(self, seat_type: str) -> tuple[int, str] | None:
        """Returns the price of a seat of a type in minor units, with its currency."""


def map_response(plan: Plan, occupancy: Occupancy) -> seats_pb2.GetSeatMapResponse:
    """Writes the whole map of a screening, without the places of areas."""
    screening = occupancy.screening
    numbered = plan.every_seat & ~plan.places
    statuses = dict.fromkeys(seats_of(numbered), AVAILABLE)
    statuses |= dict.fromkeys(seats_of(occupancy.held & numbered), seats_pb2.SEAT_STATUS_HELD)
    statuses |= dict.fromkeys(seats_of(occupancy.sold & numbered), seats_pb2.SEAT_STATUS_SOLD)
    statuses |= dict.fromkeys(seats_of(occupancy.blocked & numbered), seats_pb2.SEAT_STATUS_BLOCKED)
    return seats_pb2.GetSeatMapResponse(
        seat_map=seats_pb2.SeatMap(
            screening_id=screening.event_id,
            revision=screening.version.rev,
            plan_id=plan.id,
            seats=[_seat(plan, seat_id, status, screening) for seat_id, status in statuses.items()],
            areas=[
                seats_pb2.SeatMapArea(section=area.section, places=area.places, left=left)
                for area, left in occupancy.left_of_areas(plan)
            ],
        )
    )


def suggest_response(
    plan: Plan, screening: Screening, found: Alternatives
) -> seats_pb2.SuggestSeatsResponse:
    """Writes suggestions."""
    return seats_pb2.SuggestSeatsResponse(
        alternatives=alternatives(plan, screening, found.seats, found.groups),
        inventory_revision=screening.version.rev,
    )


def alternatives(
    plan: Plan, prices: Prices, seats: Iterable[int], groups: Iterable[Sequence[int]]
) -> seats_pb2.SeatAlternatives:
    """Writes free seats, and groups of them."""
    return seats_pb2.SeatAlternatives(
        seats=_free_seats(plan, prices, seats),
        pairs=[seats_pb2.SeatGroup(seats=_free_seats(plan, prices, group)) for group in groups],
    )


def _free_seats(
    plan: Plan, prices: Prices, seat_ids: Iterable[int]
) -> list[seats_pb2.ScreeningSeat]:
    return [_seat(plan, seat_id, AVAILABLE, prices) for seat_id in seat_ids]


def _seat(
    plan: Plan, seat_id: int, status: seats_pb2.SeatStatus.ValueType, prices: Prices
) -> seats_pb2.ScreeningSeat:
    seat = plan.seat(seat_id)
    price = prices.price_of(seat.type)
    return seats_pb2.ScreeningSeat(
        seat_id=seat.id,
        section=seat.section,
        row=seat.row,
        number=seat.number,
        label=seat.label,
        type=seat.type,
        accessible=seat.accessible,
        companion=seat.companion,
        x=seat.x,
        y=seat.y,
        status=status,
        price=money(*price) if price else None,
    )
