"""Seat plans as JSON. Made in a thread: a plan may have 100,000 seats."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson

from services.events.theaters.plan import Plan


async def render(before: Mapping[str, Any], plan: Plan, after: Mapping[str, Any]) -> bytes:
    """Writes a JSON object with the seats of a plan, and members before and after them."""
    return await asyncio.to_thread(_render, before, plan, after)


def _render(before: Mapping[str, Any], plan: Plan, after: Mapping[str, Any]) -> bytes:
    x, y = plan.focal_point
    seats = {
        "focal_point": {"x": x, "y": y},
        "seats": [*plan.seats()],
        "areas": [
            {"section": area.section, "places": area.places, "type": area.type}
            for area in plan.areas
        ],
    }
    return orjson.dumps({**before, **seats, **after})
