"""The RPCs of TheatersService: each reads its request, asks a noun, and returns its response."""

import asyncio
import dataclasses
from typing import Any, TypeAlias

import grpc
from google.api.httpbody_pb2 import HttpBody

from boxoffice.events.v1 import theaters_pb2, theaters_pb2_grpc
from services.events import requests
from services.events.requests import ResponseT
from services.events.theaters import messages
from services.events.theaters.layout import plan_of
from services.events.theaters.plan import middle
from services.events.theaters.rendering import Renderer
from services.events.theaters.rooms import Change, NewRoom, PlanContent, Replan, Rooms
from services.events.theaters.theaters import Theaters
from services.kit.rpc import masks, paging
from services.kit.rpc.errors import ValidationFailed, Violation

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

JSON = "application/json"
SEATS = {"seats", "rows", "areas"}


class TheatersServicer(theaters_pb2_grpc.TheatersServiceServicer):
    """Serves boxoffice.events.v1.TheatersService."""

    def __init__(self, theaters: Theaters, rooms: Rooms) -> None:
        self._theaters = theaters
        self._rooms = rooms
        self._renderer = Renderer(rooms)

    async def CreateTheater(
        self, request: theaters_pb2.CreateTheaterRequest, _: Context
    ) -> theaters_pb2.CreateTheaterResponse:
        """See theaters.proto."""
        key = requests.key_of(request, request.request_id)
        result = await self._theaters.create(messages.new_theater(request.theater), key)
        return _respond(result, theaters_pb2.CreateTheaterResponse)

    async def GetTheater(
        self, request: theaters_pb2.GetTheaterRequest, _: Context
    ) -> theaters_pb2.GetTheaterResponse:
        """See theaters.proto."""
        theater = await self._theaters.get(request.theater_id)
        return theaters_pb2.GetTheaterResponse(theater=messages.theater(theater))

    async def ListTheaters(
        self, request: theaters_pb2.ListTheatersRequest, _: Context
    ) -> theaters_pb2.ListTheatersResponse:
        """See theaters.proto."""
        token = "" if request.HasField("page") else request.page_token
        page = paging.parse(request.page_size, token, scope="theaters")
        if request.HasField("page"):
            listing = await self._theaters.list_numbered(page, request.page)
        else:
            listing = await self._theaters.list(page)
        return theaters_pb2.ListTheatersResponse(
            theaters=map(messages.theater, listing.theaters),
            next_page_token=listing.next_page_token,
            total=listing.total,
        )

    async def CreateRoom(
        self, request: theaters_pb2.CreateRoomRequest, _: Context
    ) -> theaters_pb2.CreateRoomResponse:
        """See theaters.proto."""
        key = requests.key_of(request, request.request_id)
        content = await asyncio.to_thread(_new_content, request.room)
        room = NewRoom(request.theater_id, request.room.name, content)
        result = await self._rooms.create(room, key)
        response = _respond(result, theaters_pb2.CreateRoomResponse)
        response.body.CopyFrom(await self._body(response.room))
        return response

    async def GetRoom(
        self, request: theaters_pb2.GetRoomRequest, _: Context
    ) -> theaters_pb2.GetRoomResponse:
        """See theaters.proto."""
        room = messages.room(await self._rooms.get(request.room_id))
        return theaters_pb2.GetRoomResponse(
            room=room, body=await self._body(room), version=room.version
        )

    async def ReplaceRoomSeats(
        self, request: theaters_pb2.ReplaceRoomSeatsRequest, _: Context
    ) -> theaters_pb2.ReplaceRoomSeatsResponse:
        """See theaters.proto."""
        result = await self._rooms.change(await asyncio.to_thread(_change, request))
        response = _respond(result, theaters_pb2.ReplaceRoomSeatsResponse)
        response.body.CopyFrom(await self._body(response.room))
        return response

    async def RenderSeatPlan(
        self, request: theaters_pb2.RenderSeatPlanRequest, _: Context
    ) -> theaters_pb2.RenderSeatPlanResponse:
        """See theaters.proto."""
        plan = await self._renderer.render(request.plan_id)
        before = {"id": plan.id, "room_id": plan.room_id, "capacity": plan.seat_count}
        body = HttpBody(content_type=JSON, data=plan.within(before, {}))
        return theaters_pb2.RenderSeatPlanResponse(body=body, version=1)

    async def _body(self, room: theaters_pb2.Room) -> HttpBody:
        """Renders a room with the seats of the plan that it names."""
        plan = await self._renderer.render(room.plan_id)
        return HttpBody(content_type=JSON, data=plan.within(*messages.shown(room)))


def _change(request: theaters_pb2.ReplaceRoomSeatsRequest) -> Change:
    """Reads a change of a room. Raises ValidationFailed."""
    room = request.room
    if request.HasField("update_mask"):
        named = masks.fields(request.update_mask.paths, room)
    else:
        named = {field.name for field, _ in room.ListFields()}
    if "name" in named and not room.HasField("name"):
        raise ValidationFailed(violations=[Violation("room.name", "must not be null")])
    return Change(
        room_id=request.room_id,
        name=room.name if "name" in named else None,
        replan=_replan(room, named),
        versions=requests.versions(request.if_match),
        key=requests.key_of(request, request.request_id),
    )


def _replan(room: theaters_pb2.RoomSpec, named: set[str]) -> Replan | None:
    """Returns how the plan of a room changes; None if it does not."""
    if SEATS & named:
        content = _new_content(room)
        return lambda _: content
    if "focal_point" in named:
        return lambda present: _refocused(room, present)
    return None


def _new_content(room: theaters_pb2.RoomSpec) -> PlanContent:
    return messages.content(plan_of(messages.layout(room)))


def _refocused(room: theaters_pb2.RoomSpec, present: bytes) -> PlanContent:
    plan = messages.plan(present)
    focal_point = messages.focal_point(room) or middle(plan.rows)
    return messages.content(dataclasses.replace(plan, focal_point=focal_point))


def _respond(result: object, expected: type[ResponseT]) -> ResponseT:
    return requests.respond(result, expected, messages.RESPONSES)
