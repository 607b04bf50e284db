"""How a test makes theaters and rooms, and gives rooms other seats."""

from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.field_mask_pb2 import FieldMask

from boxoffice.events.v1 import theaters_pb2
from tests.services.events.client import SERVICE, Client

ROWS = [{"row": "A", "seats": 3}, {"row": "B", "seats": 2, "type": "VIP"}]


async def theater(client: Client, *, request_id: str = "", **fields: Any) -> theaters_pb2.Theater:
    """Creates a theater."""
    request = theaters_pb2.CreateTheaterRequest(
        theater=theaters_pb2.Theater(**({"name": "Park"} | fields)), request_id=request_id
    )
    response: theaters_pb2.CreateTheaterResponse = await client.call(
        client.theaters.CreateTheater, request, SERVICE
    )
    return response.theater


async def respond(
    client: Client, theater_id: int, *, request_id: str = "", **fields: Any
) -> theaters_pb2.CreateRoomResponse:
    """Creates a room, of two rows by default; returns the whole response."""
    usual: dict[str, Any] = {"name": "Hall 1", "rows": ROWS}
    request = theaters_pb2.CreateRoomRequest(
        theater_id=theater_id,
        room=theaters_pb2.RoomSpec(**(usual | fields)),
        request_id=request_id,
    )
    response: theaters_pb2.CreateRoomResponse = await client.call(
        client.theaters.CreateRoom, request, SERVICE
    )
    return response


async def room(client: Client, theater_id: int, **fields: Any) -> theaters_pb2.Room:
    """Creates a room, of two rows by default."""
    return (await respond(client, theater_id, **fields)).room


async def replace(
    client: Client, room_id: int, *, if_match: str = "", request_id: str = "", **fields: Any
) -> theaters_pb2.ReplaceRoomSeatsResponse:
    """Changes the fields of a room; None clears one."""
    given = {name: value for name, value in fields.items() if value is not None}
    request = theaters_pb2.ReplaceRoomSeatsRequest(
        room_id=room_id,
        room=theaters_pb2.RoomSpec(**given),
        update_mask=FieldMask(paths=list(fields)),
        if_match=if_match,
        request_id=request_id,
    )
    response: theaters_pb2.ReplaceRoomSeatsResponse = await client.call(
        client.theaters.ReplaceRoomSeats, request, SERVICE
    )
    return response


async def get(client: Client, room_id: int) -> theaters_pb2.GetRoomResponse:
    """Gets a room."""
    request = theaters_pb2.GetRoomRequest(room_id=room_id)
    response: theaters_pb2.GetRoomResponse = await client.call(client.theaters.GetRoom, request)
    return response


async def plan(client: Client, plan_id: int) -> dict[str, Any]:
    """Gets a plan as clients see it."""
    request = theaters_pb2.RenderSeatPlanRequest(plan_id=plan_id)
    response: theaters_pb2.RenderSeatPlanResponse = await client.call(
        client.theaters.RenderSeatPlan, request
    )
    return body(response.body)


def body(sent: HttpBody) -> dict[str, Any]:
    """Reads a body as a client does."""
    assert sent.content_type == "application/json"
    parsed: dict[str, Any] = orjson.loads(sent.data)
    return parsed
