"""Converts between protobuf messages and theaters, rooms and seat plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from boxoffice.events.v1 import seat_plans_pb2, theaters_pb2
from services.events.requests import Responses
from services.events.theaters.layout import Layout, RowSpec, SeatSpec
from services.events.theaters.plan import Area, Plan, Point, Row
from services.events.theaters.rooms import PlanContent, Room
from services.events.theaters.theaters import NewTheater, Theater
from services.kit.rpc.timestamps import timestamp

USUAL_ZONE, USUAL_TYPE = "UTC", "REGULAR"


def new_theater(message: theaters_pb2.Theater) -> NewTheater:
    """Reads the theater to create."""
    location = message.location if message.HasField("location") else None
    return NewTheater(message.name, location, message.time_zone or USUAL_ZONE)


def theater(found: Theater) -> theaters_pb2.Theater:
    """Returns a theater as clients see it."""
    rooms = [
        theaters_pb2.RoomSummary(
            id=room.id, name=room.name, capacity=room.capacity, plan_id=room.plan_id
        )
        for room in found.rooms
    ]
    return theaters_pb2.Theater(
        id=found.id,
        name=found.name,
        location=found.location,
        time_zone=found.time_zone,
        rooms=rooms,
        version=found.version,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
    )


def room(found: Room) -> theaters_pb2.Room:
    """Returns a room as clients see it, without its seats."""
    return theaters_pb2.Room(
        id=found.id,
        theater_id=found.theater_id,
        name=found.name,
        capacity=found.capacity,
        plan_id=found.plan_id,
        version=found.version,
        created_at=timestamp(found.created_at),
        updated_at=timestamp(found.updated_at),
    )


def shown(message: theaters_pb2.Room) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Returns the members of a room that a body has before its seats, and those after them."""
    before = {
        "id": message.id,
        "theater_id": message.theater_id,
        "name": message.name,
        "capacity": message.capacity,
        "plan_id": message.plan_id,
    }
    times = {"created_at": message.created_at, "updated_at": message.updated_at}
    return before, {"version": message.version, **{n: _text(t) for n, t in times.items()}}


def layout(message: theaters_pb2.RoomSpec) -> Layout:
    """Reads the seats that a room is to have."""
    return Layout(
        seats=[*map(_seat, message.seats)],
        rows=[*map(_row_spec, message.rows)],
        areas=[Area(a.section, a.places, a.type or USUAL_TYPE) for a in message.areas],
        focal_point=focal_point(message),
    )


def focal_point(message: theaters_pb2.RoomSpec) -> Point | None:
    """Reads the focal point of a room, if it names one."""
    if not message.HasField("focal_point"):
        return None
    return message.focal_point.x, message.focal_point.y


def content(found: Plan) -> PlanContent:
    """Serializes a plan to be stored."""
    message = seat_plans_pb2.SeatPlan(
        rows=map(_seat_row, found.rows),
        areas=[
            seat_plans_pb2.SeatArea(section=area.section, places=area.places, type=area.type)
            for area in found.areas
        ],
        focal_point=seat_plans_pb2.FocalPoint(x=found.focal_point[0], y=found.focal_point[1]),
    )
    return PlanContent(found.seat_count, message.SerializeToString(deterministic=True))


def seat_plan(plan_id: int, stored: bytes) -> seat_plans_pb2.SeatPlan:
    """Returns a stored plan as services exchange it."""
    message = seat_plans_pb2.SeatPlan.FromString(stored)
    message.id = plan_id
    return message


def plan(stored: bytes) -> Plan:
    """Reads a stored plan."""
    message = seat_plans_pb2.SeatPlan.FromString(stored)
    return Plan(
        rows=[*map(_row, message.rows)],
        areas=[Area(area.section, area.places, area.type) for area in message.areas],
        focal_point=(message.focal_point.x, message.focal_point.y),
    )


def _text(time: Timestamp) -> str:
    """Prints a time as the gateway does: in UTC with milliseconds."""
    return f"{time.ToDatetime().isoformat(timespec='milliseconds')}Z"


def _seat(message: theaters_pb2.SeatSpec) -> SeatSpec:
    return SeatSpec(
        section=message.section,
        row=message.row,
        number=message.number,
        type=message.type or USUAL_TYPE,
        label=message.label,
        accessible=message.accessible,
        companion=message.companion,
        aisle_after=message.aisle_after,
        x=message.x if message.HasField("x") else None,
        y=message.y if message.HasField("y") else None,
    )


def _row_spec(message: theaters_pb2.RowSpec) -> RowSpec:
    return RowSpec(
        section=message.section,
        row=message.row,
        seats=message.seats,
        first_number=message.first_number if message.HasField("first_number") else 1,
        type=message.type or USUAL_TYPE,
        types={kind: [*numbers.numbers] for kind, numbers in message.types.items()},
        accessible=message.accessible,
        companion=message.companion,
        aisles_after=message.aisles_after,
        x=message.x if message.HasField("x") else None,
        y=message.y if message.HasField("y") else None,
    )


def _seat_row(row: Row) -> seat_plans_pb2.SeatRow:
    first, *others = row.types
    return seat_plans_pb2.SeatRow(
        section=row.section,
        row=row.name,
        type=first,
        numbers=row.numbers,
        types=row.types if set(others) - {first} else (),
        xs=row.xs,
        ys=row.ys,
        accessible=row.accessible,
        companion=row.companion,
        aisles_after=row.aisles_after,
        labels=row.labels,
    )


def _row(message: seat_plans_pb2.SeatRow) -> Row:
    types: Sequence[str] = message.types or [message.type] * len(message.numbers)
    return Row(
        section=message.section,
        name=message.row,
        numbers=message.numbers,
        types=types,
        xs=message.xs,
        ys=message.ys,
        accessible=message.accessible,
        companion=message.companion,
        aisles_after=message.aisles_after,
        labels=message.labels,
    )


RESPONSES: Responses = {
    "CreateTheater": lambda created: theaters_pb2.CreateTheaterResponse(theater=theater(created)),
    "CreateRoom": lambda created: theaters_pb2.CreateRoomResponse(
        room=room(created), room_id=created.id, version=created.version
    ),
    "ReplaceRoomSeats": lambda changed: theaters_pb2.ReplaceRoomSeatsResponse(
        room=room(changed), version=changed.version
    ),
}
