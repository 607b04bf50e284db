"""Rooms for tests: seat plans, and how events sends them."""

from collections.abc import Sequence

from boxoffice.events.v1 import seat_plans_pb2
from services.bookings.seating.plan import Area, Plan, Row
from services.kit.rpc.errors import Unavailable

PLAN_ID = 7


def hall(
    rows: int = 2, seats: int = 4, *, types: Sequence[str] = (), areas: Sequence[Area] = ()
) -> Plan:
    """Makes a room of equal rows with the focal point in front of them."""
    kinds = types or ["REGULAR"] * seats
    made = [
        Row(
            "Stalls",
            chr(ord("A") + row),
            range(1, seats + 1),
            kinds,
            [100 * seat for seat in range(seats)],
            [120 * row] * seats,
        )
        for row in range(rows)
    ]
    return Plan(PLAN_ID, made, areas, (50 * (seats - 1), 0))


def serialized(plan: Plan) -> bytes:
    """Serializes a plan as events does."""
    message = seat_plans_pb2.SeatPlan(
        id=plan.id,
        rows=[_row(row) for row in plan.rows],
        areas=[
            seat_plans_pb2.SeatArea(section=area.section, places=area.places, type=area.type)
            for area in plan.areas
        ],
        focal_point=seat_plans_pb2.FocalPoint(x=plan.focal_point[0], y=plan.focal_point[1]),
    )
    return message.SerializeToString()


def _row(row: Row) -> seat_plans_pb2.SeatRow:
    is_plain = len(set(row.types)) == 1
    return seat_plans_pb2.SeatRow(
        section=row.section,
        row=row.name,
        type=row.types[0],
        numbers=row.numbers,
        types=[] if is_plain else row.types,
        xs=row.xs,
        ys=row.ys,
        accessible=[index + 1 for index in sorted(row.accessible)],
        companion=[index + 1 for index in sorted(row.companion)],
        aisles_after=[index + 1 for index in sorted(row.aisles_after)],
        labels={index + 1: label for index, label in row.labels.items()},
    )


class Rooms:
    """Answers for plans as events does, and counts the calls."""

    def __init__(self, *plans: Plan) -> None:
        self.plans = {plan.id: plan for plan in plans}
        self.asked: list[int] = []

    async def fetch(self, plan_id: int) -> bytes:
        """Returns a plan; raises Unavailable if there is none."""
        self.asked.append(plan_id)
        if plan_id not in self.plans:
            raise Unavailable
        return serialized(self.plans[plan_id])
