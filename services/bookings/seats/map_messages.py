"""Writes protobuf messages of maps, alternatives and shortages of seats."""

from functools import lru_cache

from boxoffice.bookings.v1 import seats_pb2
from services.bookings.errors import SeatNotFound, SeatsUnavailable
from services.bookings.seating.alternatives import Alternatives
from services.bookings.seating.plan import Plan, seats_of
from services.bookings.seating.prices import Prices
from services.bookings.seats.screening import Occupancy, Screening
from services.kit.rpc.errors import Refusal
from services.kit.rpc.money import money
from services.kit.rpc.timestamps import timestamp

AVAILABLE = seats_pb2.SEAT_STATUS_AVAILABLE
KEPT_ALTERNATIVES = 1_000


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
            seats=[
                _seat(plan, seat_id, status, screening.prices)
                for seat_id, status in statuses.items()
            ],
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
        alternatives=_alternatives(plan, screening.prices, found),
        inventory_revision=screening.version.rev,
    )


def explain(refusal: Refusal) -> Refusal:
    """Adds the details to a refusal if the contract defines any for its reason."""
    if isinstance(refusal, SeatNotFound):
        refusal.details = seats_pb2.SeatNotFoundDetails(seat_ids=refusal.seat_ids)
    elif isinstance(refusal, SeatsUnavailable):
        refusal.details = _details(refusal)
    return refusal


def _details(refusal: SeatsUnavailable) -> seats_pb2.SeatsUnavailableDetails:
    shortage = refusal.shortage
    found = Alternatives(shortage.alternatives, shortage.groups)
    return seats_pb2.SeatsUnavailableDetails(
        unavailable_seat_ids=sorted(shortage.reasons),
        reasons=shortage.reasons,
        free_again_at=timestamp(shortage.free_again_at),
        orphan_seat_ids=shortage.orphans,
        left=shortage.left,
        alternatives=(
            _alternatives(refusal.plan, refusal.prices, found)
            if refusal.plan
            else seats_pb2.SeatAlternatives()
        ),
    )


def _alternatives(plan: Plan, prices: Prices, found: Alternatives) -> seats_pb2.SeatAlternatives:
    return _written(plan, prices, tuple(found.seats), tuple(map(tuple, found.groups)))


@lru_cache(maxsize=KEPT_ALTERNATIVES)
def _written(
    plan: Plan, prices: Prices, seats: tuple[int, ...], groups: tuple[tuple[int, ...], ...]
) -> seats_pb2.SeatAlternatives:
    """Writes free seats and groups of them. In a rush on a few seats all refusals have the same."""
    return seats_pb2.SeatAlternatives(
        seats=[_free_seat(plan, seat_id, prices) for seat_id in seats],
        pairs=[
            seats_pb2.SeatGroup(seats=[_free_seat(plan, seat_id, prices) for seat_id in group])
            for group in groups
        ],
    )


def _free_seat(plan: Plan, seat_id: int, prices: Prices) -> seats_pb2.ScreeningSeat:
    return _seat(plan, seat_id, AVAILABLE, prices)


def _seat(
    plan: Plan, seat_id: int, status: seats_pb2.SeatStatus.ValueType, prices: Prices
) -> seats_pb2.ScreeningSeat:
    seat = plan.seat(seat_id)
    price = prices.of(seat.type)
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
