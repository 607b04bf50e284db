"""Seat plans as JSON: rendered in a thread, since one may have 100,000 seats, and kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cachetools import LRUCache

from services.events.theaters import messages
from services.events.theaters.rooms import Rooms, StoredPlan

KEPT_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RenderedPlan:
    """A plan; `seats` are the members of a JSON object that show its seats."""

    id: int
    room_id: int
    seat_count: int
    seats: bytes

    def within(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bytes:
        """Returns a JSON object with the seats, and members before and after them."""
        parts = [orjson.dumps(before)[1:-1], self.seats, orjson.dumps(after)[1:-1]]
        return b"{%s}" % b",".join(filter(None, parts))


class Renderer:
    """Renders seat plans. Plans never change, so those that were used last are kept."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._kept: LRUCache[int, RenderedPlan] = LRUCache(KEPT_BYTES, lambda plan: len(plan.seats))

    async def render(self, plan_id: int) -> RenderedPlan:
        """Renders a plan; raises SeatPlanNotFound."""
        kept = self._kept.get(plan_id)
        if kept is not None:
            return kept
        rendered = await asyncio.to_thread(_render, await self._rooms.plan(plan_id))
        if len(rendered.seats) <= KEPT_BYTES:
            self._kept[plan_id] = rendered
        return rendered


def _render(stored: StoredPlan) -> RenderedPlan:
    plan = messages.plan(stored.plan)
    x, y = plan.focal_point
    seats = {
        "focal_point": {"x": x, "y": y},
        "seats": [*plan.seats()],
        "areas": [
            {"section": area.section, "places": area.places, "type": area.type}
            for area in plan.areas
        ],
    }
    return RenderedPlan(stored.id, stored.room_id, stored.seat_count, orjson.dumps(seats)[1:-1])
